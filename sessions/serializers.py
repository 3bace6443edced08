"""What REST says of sessions."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelwright.compute.states import WorkloadState
from sessions.models import (
    DEFAULT_IDLE_SECONDS,
    DEFAULT_LIFE_SECONDS,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    Session,
    SessionCommand,
    SessionRead,
)
from sessions.selectors import starts_of


class SessionSerializer(serializers.ModelSerializer[Session]):
    """A session in a list."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    state = serializers.ChoiceField(WorkloadState.choices, read_only=True)
    is_ready = serializers.BooleanField(read_only=True, help_text="Whether its Lab answers.")
    branch = serializers.CharField(read_only=True)
    profile = serializers.CharField(source="profile.name", read_only=True, allow_null=True, default=None)
    host = serializers.CharField(source="workload.host.name", read_only=True, allow_null=True, default=None)
    waiting_reason = serializers.CharField(source="workload.waiting_reason", read_only=True)

    class Meta:
        model = Session
        fields = [
            "id",
            "number",
            "project",
            "owner",
            "state",
            "is_ready",
            "branch",
            "base_commit",
            "profile",
            "host",
            "waiting_reason",
            "created_at",
            "ready_at",
            "active_at",
            "is_busy",
            "saved_at",
        ]
        read_only_fields = fields


class SessionStartSerializer(serializers.Serializer[Any]):
    """One start of a session."""

    number = serializers.IntegerField()
    started_by = serializers.CharField()
    address = serializers.CharField()
    at = serializers.DateTimeField(source="created_at")
    ready_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(source="workload.finished_at", allow_null=True)
    state = serializers.ChoiceField(WorkloadState.choices, source="workload.state")
    exit_code = serializers.IntegerField(source="workload.exit_code", allow_null=True)
    ending = serializers.CharField()


class SessionDetailSerializer(SessionSerializer):
    """A session with its limits, what it uses and each of its starts."""

    environment = serializers.CharField(
        source="workload.environment.lock_digest", read_only=True, allow_null=True, default=None
    )
    starts = serializers.SerializerMethodField()

    class Meta(SessionSerializer.Meta):
        fields = [
            *SessionSerializer.Meta.fields,
            "image",
            "idle_seconds",
            "life_seconds",
            "records_commands",
            "kernels",
            "terminals",
            "environment",
            "ending",
            "left_out",
            "packages",
            "starts",
        ]
        read_only_fields = fields

    @extend_schema_field(SessionStartSerializer(many=True))
    def get_starts(self, session: Session) -> list[dict[str, Any]]:
        """Each of them, the first one first."""
        return list(SessionStartSerializer(starts_of(session), many=True).data)


class SessionStartRequestSerializer(serializers.Serializer[Any]):
    """A session to start. `commit` goes before `branch`; the newest of the main branch where neither is given."""

    commit = serializers.CharField(required=False, allow_blank=True, max_length=64)
    branch = serializers.CharField(required=False, allow_blank=True, max_length=120)
    profile = serializers.CharField(required=False, allow_blank=True, max_length=63)
    image = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=255,
        help_text="A ready image, with JupyterLab and Git, in place of the requirements.",
    )
    idle_seconds = serializers.IntegerField(
        required=False, min_value=SHORTEST_SECONDS, max_value=LONGEST_SECONDS, default=DEFAULT_IDLE_SECONDS
    )
    life_seconds = serializers.IntegerField(
        required=False, min_value=SHORTEST_SECONDS, max_value=LONGEST_SECONDS, default=DEFAULT_LIFE_SECONDS
    )


class SessionStopSerializer(serializers.Serializer[Any]):
    """Why a session is stopped."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000, default="")


class SessionCommitSerializer(serializers.Serializer[Any]):
    """What to commit: what was saved, the one that you have seen where `expected` names it."""

    message = serializers.CharField(max_length=5000)
    expected = serializers.CharField(required=False, allow_blank=True, max_length=40, default="")


class SessionMadeCommitSerializer(serializers.Serializer[Any]):
    """A commit that was made."""

    commit = serializers.CharField()


class WantedPackagesSerializer(serializers.Serializer[Any]):
    """Packages of the session's `packages` that shall stand in the project's requirements."""

    packages = serializers.ListField(child=serializers.CharField(max_length=200), min_length=1, max_length=50)


class SessionChangedFileSerializer(serializers.Serializer[Any]):
    """A file that differs; the counts of lines are null for a binary file."""

    path = serializers.CharField()
    added = serializers.IntegerField(allow_null=True)
    removed = serializers.IntegerField(allow_null=True)


class SessionChangesSerializer(serializers.Serializer[Any]):
    """What was saved and is not committed; how the branch stands to the main one."""

    saved = serializers.CharField(allow_null=True)
    commit = serializers.CharField(allow_null=True)
    files = SessionChangedFileSerializer(many=True)
    patch = serializers.CharField()
    is_truncated = serializers.BooleanField()
    ahead = serializers.IntegerField()
    behind = serializers.IntegerField()


class SessionSampleSerializer(serializers.Serializer[Any]):
    """What its processes used at a moment."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    cpu_seconds = serializers.FloatField()
    memory_bytes = serializers.IntegerField()
    processes = serializers.IntegerField()


class SessionCommandSerializer(serializers.ModelSerializer[SessionCommand]):
    """What was typed, as the session's own process tells it."""

    class Meta:
        model = SessionCommand
        fields = ["id", "kind", "at", "text"]
        read_only_fields = fields


class SessionReadSerializer(serializers.ModelSerializer[SessionRead]):
    """What was read of a data connection, as the session's own process tells it."""

    by = serializers.CharField(source="session.owner.username", read_only=True)

    class Meta:
        model = SessionRead
        fields = ["id", "at", "by", "connection", "kind", "what"]
        read_only_fields = fields
        extra_kwargs = {"what": {"help_text": "A statement, table or file; empty where only the connection was taken."}}


class SessionPolicySerializer(serializers.Serializer[Any]):
    """What a project wants of its sessions."""

    records_commands = serializers.BooleanField()


class SessionLogSerializer(serializers.Serializer[Any]):
    """A piece of a log. `finished` says that no more will come."""

    text = serializers.CharField()
    offset = serializers.IntegerField(help_text="Where to go on.")
    finished = serializers.BooleanField()
