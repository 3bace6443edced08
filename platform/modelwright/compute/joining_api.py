"""REST: machines join as hosts and are removed."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import Actor, actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.compute import joining_selectors, selectors, services
from modelwright.compute.joining_command import join_command
from modelwright.compute.joining_serializers import (
    HostRemovalSerializer,
    JoinedSerializer,
    JoinSerializer,
    JoinTokenCreateSerializer,
    JoinTokenSerializer,
    NewJoinTokenSerializer,
)
from modelwright.compute.serializers import HostSerializer
from modelwright.core.api import PUBLIC, PlatformAPIView, paged_schema


class JoinTokenListView(PlatformAPIView):
    """Tokens to join with."""

    permissions = {"GET": Permission.SITE_MANAGE, "POST": Permission.SITE_MANAGE}

    @paged_schema("JoinToken", JoinTokenSerializer)
    def get(self, request: Request) -> Response:
        """List the tokens with which machines could join or have joined."""
        return self.paged(joining_selectors.join_tokens(current_user(request)), JoinTokenSerializer)

    @extend_schema(request=JoinTokenCreateSerializer, responses={201: NewJoinTokenSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Make a token: one machine may join with it within an hour. Its text is answered this once."""
        values = self.parse(JoinTokenCreateSerializer)
        token, text = services.create_join_token(labels=values.get("labels"), acting_user=actor_of(request))
        made = {"id": token.pk, "token": text, "command": join_command(text), "expires_at": token.expires_at}
        return Response(NewJoinTokenSerializer(made).data, status=201)


class JoinTokenDetailView(PlatformAPIView):
    """A token to join with."""

    permissions = {"GET": Permission.SITE_MANAGE, "DELETE": Permission.SITE_MANAGE}

    @extend_schema(responses=JoinTokenSerializer)
    def get(self, request: Request, join_token_id: UUID) -> Response:
        """Answer one token, without its text."""
        return Response(JoinTokenSerializer(joining_selectors.join_token(current_user(request), join_token_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, join_token_id: UUID) -> Response:
        """Revoke the token. Doing it twice is harmless."""
        token = joining_selectors.join_token(current_user(request), join_token_id)
        services.revoke_join_token(token, acting_user=actor_of(request))
        return Response(status=204)


class JoinView(PlatformAPIView):
    """Joining: the one call of a new machine."""

    permissions = {"POST": PUBLIC}
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=JoinSerializer, responses=JoinedSerializer)
    def post(self, request: Request) -> Response:
        """Join as a host. The token in the body is the permission; it is used up by this."""
        caller = replace(
            Actor.system("join"),
            request_id=str(request.META.get("modelwright.request_id", "")),
            address=str(request.META.get("REMOTE_ADDR", "")),
        )
        joined = services.join(**self.parse(JoinSerializer), caller=caller)
        reach = joined.addresses
        answer = {
            "host_id": joined.host.pk,
            "name": joined.host.name,
            "labels": joined.host.labels,
            "web_url": reach.web_url,
            "gateway_url": reach.gateway_url,
            "database_url": reach.database_url,
            "redis_url": reach.redis_url,
            "blobs": reach.blobs,
            "blobs_credentials": reach.blobs_credentials,
            "secret_key": joined.secret_key,
        }
        response = Response(JoinedSerializer(answer).data)
        response.headers["Cache-Control"] = "no-store"
        return response


class HostRemovalView(PlatformAPIView):
    """Taking a host out for good."""

    permissions = {"POST": Permission.SITE_MANAGE}

    @extend_schema(request=HostRemovalSerializer, responses=HostSerializer)
    def post(self, request: Request, host_id: UUID) -> Response:
        """Remove the host: its access ends. Refused while something runs there, unless `force`."""
        values = self.parse(HostRemovalSerializer)
        services.remove_host(selectors.host(host_id), **values, acting_user=actor_of(request))
        return Response(HostSerializer(selectors.host(host_id)).data)
