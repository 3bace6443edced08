"""REST: drills, their schedule, golden requests and alerts."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints.models import Endpoint
from models.endpoints.selectors import get_endpoint
from models.replays import alerts, drill_services, golden, selectors
from models.replays.policies import drill_policy, set_drill_policy
from models.replays.serializers import (
    DrillAlertSerializer,
    DrillPolicySerializer,
    DrillSerializer,
    GoldenRequestCreateSerializer,
    GoldenRequestSerializer,
    StartedDrillsSerializer,
)
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema


class DrillListView(PlatformAPIView):
    """The drills of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_ROLLBACK}

    @paged_schema("Drill", DrillSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List the drills."""
        return self.paged(selectors.drills_of(get_endpoint(current_user(request), endpoint_id)), DrillSerializer)

    @extend_schema(request=None, responses={201: StartedDrillsSerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Prove now that the endpoint can go back: follow `state` of each drill to `passed` or `failed`."""
        endpoint = get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_ROLLBACK)
        made = drill_services.start_drills(endpoint, acting_user=actor_of(request))
        return Response(StartedDrillsSerializer({"results": made}).data, status=201)


class DrillDetailView(PlatformAPIView):
    """A drill."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=DrillSerializer)
    def get(self, request: Request, drill_id: UUID) -> Response:
        """Answer one drill: how far it is, how long each part took, what differed."""
        return Response(DrillSerializer(selectors.get_drill(current_user(request), drill_id)).data)


class DrillPolicyView(PlatformAPIView):
    """When an endpoint's way back is proved."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PATCH": Permission.ENDPOINT_MANAGE}

    @extend_schema(responses=DrillPolicySerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Answer the schedule and what a drill may take."""
        return self._answer(get_endpoint(current_user(request), endpoint_id))

    @extend_schema(request=DrillPolicySerializer, responses=DrillPolicySerializer)
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """Change the schedule or what a drill may take."""
        endpoint = get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_MANAGE)
        set_drill_policy(endpoint, self.parse(DrillPolicySerializer, partial=True), acting_user=actor_of(request))
        return self._answer(endpoint)

    @staticmethod
    def _answer(endpoint: Endpoint) -> Response:
        return Response(DrillPolicySerializer(drill_policy(endpoint)).data)


class GoldenRequestListView(PlatformAPIView):
    """The golden requests that people pinned."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_DEPLOY}

    @paged_schema("GoldenRequest", GoldenRequestSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List what is pinned. A drill fills up with the newest answers on record of its version."""
        endpoint = get_endpoint(current_user(request), endpoint_id)
        return self.paged(selectors.pinned_of(endpoint), GoldenRequestSerializer)

    @extend_schema(request=GoldenRequestCreateSerializer, responses={201: GoldenRequestSerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Have a prediction on record asked in each drill of the version that answered it."""
        endpoint = get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_DEPLOY)
        made = golden.pin(endpoint, **self.parse(GoldenRequestCreateSerializer), acting_user=actor_of(request))
        return Response(GoldenRequestSerializer(made).data, status=201)


class GoldenRequestDetailView(PlatformAPIView):
    """A golden request."""

    permissions = {"DELETE": Permission.ENDPOINT_DEPLOY}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, golden_id: UUID) -> Response:
        """Take it out of the drills again; the prediction stays on record."""
        found = selectors.get_pinned(current_user(request), golden_id, Permission.ENDPOINT_DEPLOY)
        golden.unpin(found, acting_user=actor_of(request))
        return Response(status=204)


class DrillAlertListView(PlatformAPIView):
    """The alerts of an endpoint's drills."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("DrillAlert", DrillAlertSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List the alerts."""
        endpoint: Endpoint = get_endpoint(current_user(request), endpoint_id)
        return self.paged(selectors.alerts_of(endpoint), DrillAlertSerializer)


class DrillAlertAcknowledgementView(PlatformAPIView):
    """Saying that one has seen an alert."""

    permissions = {"POST": Permission.ENDPOINT_ROLLBACK}

    @extend_schema(request=None, responses={202: DrillAlertSerializer})
    @idempotent
    def post(self, request: Request, drill_alert_id: UUID) -> Response:
        """Note that you have seen it. It ends once a drill passes."""
        alert = selectors.get_alert(current_user(request), drill_alert_id, Permission.ENDPOINT_ROLLBACK)
        alert = alerts.acknowledge(alert, acting_user=actor_of(request))
        return Response(DrillAlertSerializer(alert).data, status=202)
