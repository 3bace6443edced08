"""REST: hosts, profiles, environments."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.compute import selectors, services
from modelwright.compute.serializers import (
    EnvironmentDetailSerializer,
    EnvironmentSerializer,
    HostSerializer,
)
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema


class HostListView(PlatformAPIView):
    """Hosts."""

    permissions = {"GET": SIGNED_IN}

    @paged_schema("Host", HostSerializer)
    def get(self, request: Request) -> Response:
        """List the machines that run workloads."""
        return self.paged(selectors.hosts(), HostSerializer)


class HostDetailView(PlatformAPIView):
    """A host."""

    permissions = {"GET": SIGNED_IN}

    @extend_schema(responses=HostSerializer)
    def get(self, request: Request, host_id: UUID) -> Response:
        """Answer one host."""
        return Response(HostSerializer(selectors.host(host_id)).data)


class _HostStateView(PlatformAPIView):
    permissions = {"POST": Permission.SITE_MANAGE}
    state: ClassVar[str]

    def _set(self, request: Request, host_id: UUID) -> Response:
        services.set_host_state(selectors.host(host_id), state=self.state, acting_user=actor_of(request))
        return Response(HostSerializer(selectors.host(host_id)).data)


class HostDrainView(_HostStateView):
    """Taking a host out of use."""

    state = "draining"

    @extend_schema(request=None, responses=HostSerializer)
    def post(self, request: Request, host_id: UUID) -> Response:
        """Place nothing new on the host; what runs there goes on. Doing it twice is harmless."""
        return self._set(request, host_id)


class HostActivateView(_HostStateView):
    """Taking a host into use again."""

    state = "active"

    @extend_schema(request=None, responses=HostSerializer)
    def post(self, request: Request, host_id: UUID) -> Response:
        """Place workloads on the host again. Doing it twice is harmless."""
        return self._set(request, host_id)


class EnvironmentListView(PlatformAPIView):
    """Environments."""

    permissions = {"GET": SIGNED_IN}

    @paged_schema("Environment", EnvironmentSerializer)
    def get(self, request: Request) -> Response:
        """List the locked environments of this installation."""
        return self.paged(selectors.environments(), EnvironmentSerializer)


class EnvironmentDetailView(PlatformAPIView):
    """An environment."""

    permissions = {"GET": SIGNED_IN, "DELETE": Permission.SITE_MANAGE}

    @extend_schema(responses=EnvironmentDetailSerializer)
    def get(self, request: Request, environment_id: UUID) -> Response:
        """Answer one environment with its lock."""
        return Response(EnvironmentDetailSerializer(selectors.environment(environment_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, environment_id: UUID) -> Response:
        """Delete the environment's files. The next run that needs it builds it again."""
        services.remove_environment(selectors.environment(environment_id), acting_user=actor_of(request))
        return Response(status=204)
