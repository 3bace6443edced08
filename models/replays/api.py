"""REST: replays, what they must come to, and the records that change."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints.models import Endpoint
from models.endpoints.selectors import get_endpoint
from models.registry.models import ModelVersion
from models.registry.selectors import versions
from models.replays import selectors, services
from models.replays.models import Replay
from models.replays.policies import replay_policy, set_replay_policy
from models.replays.serializers import (
    ReplayCancellationSerializer,
    ReplayChangeSerializer,
    ReplayCreateSerializer,
    ReplayDetailSerializer,
    ReplayPolicySerializer,
    ReplaySerializer,
)
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed
from modelwright.core.parameters import id_of

_CANDIDATE = [
    OpenApiParameter(
        "candidate", {"type": "string", "format": "uuid"}, description="Only replays of this model version."
    )
]
_SEGMENT = [
    OpenApiParameter("column", str, description="The column of a segment of the report."),
    OpenApiParameter("segment", str, description="Only records of this segment of the column."),
]


class ReplayListView(PlatformAPIView):
    """The replays of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_DEPLOY}

    @paged_schema("Replay", ReplaySerializer, _CANDIDATE)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List the replays."""
        # A report may be large, and no list shows it.
        found = selectors.replays_of(get_endpoint(current_user(request), endpoint_id)).defer("report")
        if candidate := id_of(request, "candidate", "a model version"):
            found = found.filter(candidate=candidate)
        return self.paged(found, ReplaySerializer)

    @extend_schema(request=ReplayCreateSerializer, responses={201: ReplayDetailSerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Ask the newest requests on record of a candidate: follow `state` until it is over."""
        endpoint = get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_DEPLOY)
        values = self.parse(ReplayCreateSerializer)
        candidate = self._candidate(request, values.pop("model_version"))
        made = services.start_replay(endpoint, candidate, **values, acting_user=actor_of(request))
        return Response(ReplayDetailSerializer(made).data, status=201)

    @staticmethod
    def _candidate(request: Request, version_id: UUID) -> ModelVersion:
        found = versions(current_user(request)).filter(pk=version_id).first()
        if found is None:
            raise ValidationFailed(
                "There is no such model version.", remedy="Give the id of one of the project.", field="model_version"
            )
        return found


class ReplayDetailView(PlatformAPIView):
    """A replay."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ReplayDetailSerializer)
    def get(self, request: Request, replay_id: UUID) -> Response:
        """Answer one replay: how far it is, and what came of it."""
        return Response(ReplayDetailSerializer(self._replay(request, replay_id)).data)

    @staticmethod
    def _replay(request: Request, replay_id: UUID) -> Replay:
        return selectors.get_replay(current_user(request), replay_id)


class ReplayCancellationView(PlatformAPIView):
    """Ending a replay before its time."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    @extend_schema(request=ReplayCancellationSerializer, responses=ReplayDetailSerializer)
    def post(self, request: Request, replay_id: UUID) -> Response:
        """Cancel it: it comes to no result, and is no check. 409 where it is over."""
        replay = selectors.get_replay(current_user(request), replay_id)
        values = self.parse(ReplayCancellationSerializer)
        cancelled = services.cancel(replay, **values, acting_user=actor_of(request))
        return Response(ReplayDetailSerializer(cancelled).data)


class ReplayChangeListView(PlatformAPIView):
    """The records that a candidate answers otherwise."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("ReplayChange", ReplayChangeSerializer, _SEGMENT)
    def get(self, request: Request, replay_id: UUID) -> Response:
        """List the records that get another answer or none, at most the first 5,000 of a replay."""
        params = request.query_params
        replay = selectors.get_replay(current_user(request), replay_id)
        found = selectors.changes_of(replay, column=params.get("column", ""), segment=params.get("segment", ""))
        return self.paged(found, ReplayChangeSerializer)


class ReplayPolicyView(PlatformAPIView):
    """What replays of an endpoint must come to."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PATCH": Permission.ENDPOINT_MANAGE}

    @extend_schema(responses=ReplayPolicySerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Answer the thresholds; the usual ones where nobody changed them."""
        return self._answer(get_endpoint(current_user(request), endpoint_id))

    @extend_schema(request=ReplayPolicySerializer, responses=ReplayPolicySerializer)
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """Change thresholds, for replays that are started from now on."""
        endpoint = get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_MANAGE)
        set_replay_policy(endpoint, self.parse(ReplayPolicySerializer, partial=True), acting_user=actor_of(request))
        return self._answer(endpoint)

    @staticmethod
    def _answer(endpoint: Endpoint) -> Response:
        return Response(ReplayPolicySerializer(replay_policy(endpoint)).data)
