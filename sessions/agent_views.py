"""What a session tells and asks: `/session-agent/…`, with its own token. No part of the REST API of people."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.selectors import runs_of
from jobs.serializers import RunSerializer
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PUBLIC, PlatformAPIView
from modelwright.core.errors import PermissionRefused
from projects.selectors import require_project
from sessions import repository
from sessions.authentication import SessionAuthentication
from sessions.models import Session
from sessions.services import Beat, Command, Read, note_beat, note_commands, note_reads

MAX_RUNS = 100


class BeatSerializer(serializers.Serializer[Any]):
    """How a session is."""

    idle_seconds = serializers.FloatField(default=0.0)
    is_busy = serializers.BooleanField(default=False)
    kernels = serializers.IntegerField(default=0)
    terminals = serializers.IntegerField(default=0)
    cpu_seconds = serializers.FloatField(default=0.0)
    memory_bytes = serializers.IntegerField(default=0)
    processes = serializers.IntegerField(default=0)
    packages = serializers.ListField(child=serializers.CharField(), default=list)
    saved = serializers.CharField(default="", allow_blank=True)
    left_out = serializers.ListField(child=serializers.CharField(), default=list)
    is_end = serializers.BooleanField(default=False)
    ending = serializers.CharField(default="", allow_blank=True)


class CommandSerializer(serializers.Serializer[Any]):
    """What was typed."""

    kind = serializers.CharField()
    at = serializers.FloatField()
    text = serializers.CharField(allow_blank=True, trim_whitespace=False)


class CommandsSerializer(serializers.Serializer[Any]):
    """Some of it, from a byte of the session's own file on."""

    offset = serializers.IntegerField(min_value=0, max_value=2**60)
    commands = CommandSerializer(many=True)


class ReadSerializer(serializers.Serializer[Any]):
    """What was read of a data connection."""

    connection = serializers.CharField()
    kind = serializers.CharField()
    what = serializers.CharField(allow_blank=True, trim_whitespace=False)
    at = serializers.FloatField()


class ReadsSerializer(serializers.Serializer[Any]):
    """Some of it, from a byte of the session's own file on."""

    offset = serializers.IntegerField(min_value=0, max_value=2**60)
    reads = ReadSerializer(many=True)


@extend_schema(exclude=True)
class AgentView(PlatformAPIView):
    """Base: the token says which session it is."""

    authentication_classes = (SessionAuthentication,)

    def session(self, request: Request) -> Session:
        """The session that speaks. Raises PermissionRefused where its owner may not work in the project any more."""
        session = request.auth
        if not isinstance(session, Session):
            raise PermissionRefused("Only a session asks here.", remedy="People use /api/v1/sessions/.")
        require_project(session.owner, Permission.PROJECT_EDIT, session.project)
        return session


class BeatView(AgentView):
    """A sign of life."""

    permissions = {"POST": PUBLIC}

    def post(self, request: Request) -> Response:
        """Note it; answer the tip of the branch, and the packages that somebody wants in the requirements."""
        session = self.session(request)
        note_beat(session, Beat(**self.parse(BeatSerializer)))
        branch = repository.tip(session.project, repository.branch_ref(session))
        return Response({"branch": branch or "", "add": session.wanted_packages})


class CommandsView(AgentView):
    """What was typed."""

    permissions = {"POST": PUBLIC}

    def post(self, request: Request) -> Response:
        """Note it."""
        session = self.session(request)
        said = self.parse(CommandsSerializer)
        note_commands(session, said["offset"], [Command(**one) for one in said["commands"]])
        return Response({})


class ReadsView(AgentView):
    """What was read of data connections."""

    permissions = {"POST": PUBLIC}

    def post(self, request: Request) -> Response:
        """Note it."""
        session = self.session(request)
        said = self.parse(ReadsSerializer)
        note_reads(session, said["offset"], [Read(**one) for one in said["reads"]])
        return Response({})


class RunsView(AgentView):
    """The newest runs of the project."""

    permissions = {"GET": PUBLIC}

    def get(self, request: Request) -> Response:
        """Answer them, at most a hundred."""
        session = self.session(request)
        runs = runs_of(session.project)[:MAX_RUNS]
        return Response({"results": RunSerializer(runs, many=True).data})
