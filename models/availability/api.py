"""REST: the availability of an endpoint. Its bounds and target are changed where the endpoint is."""

from __future__ import annotations

from dataclasses import fields
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.availability.selectors import alerts_of, figures, replicas_by_version
from models.availability.serializers import AvailabilityAlertSerializer, AvailabilitySerializer
from models.availability.states import AlertState
from models.endpoints.selectors import get_endpoint
from models.endpoints.sizing import wanted_replicas
from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.parameters import choice_of

_STATE = [OpenApiParameter("state", str, enum=AlertState.values, description="Only alerts in this state.")]


class AvailabilityView(PlatformAPIView):
    """How an endpoint stands against its target."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=AvailabilitySerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Answer availability, error budget, burn rates, load and replicas."""
        endpoint = get_endpoint(current_user(request), endpoint_id)
        found = figures(endpoint)
        data = {field.name: getattr(found, field.name) for field in fields(found)}
        data |= {
            "availability": found.availability,
            "wanted_replicas": wanted_replicas(endpoint),
            "replicas": replicas_by_version(endpoint),
        }
        return Response(AvailabilitySerializer(data).data)


class AvailabilityAlertListView(PlatformAPIView):
    """The alerts of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("AvailabilityAlert", AvailabilityAlertSerializer, _STATE)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List alerts, the newest first."""
        found = alerts_of(get_endpoint(current_user(request), endpoint_id))
        if state := choice_of(request, "state", AlertState.values):
            found = found.filter(state=state)
        return self.paged(found, AvailabilityAlertSerializer)
