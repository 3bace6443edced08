"""REST: rollouts of an endpoint."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints.selectors import get_endpoint
from models.registry.selectors import versions
from models.rollouts import selectors, services
from models.rollouts.comparing import compare
from models.rollouts.models import Rollout
from models.rollouts.serializers import (
    ComparisonSerializer,
    PauseSerializer,
    ReasonSerializer,
    RolloutCreateSerializer,
    RolloutEventSerializer,
    RolloutSerializer,
)
from models.rollouts.states import RolloutState
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed
from modelwright.core.parameters import choice_of

_STATE = OpenApiParameter("state", str, enum=list(RolloutState.values), description="Only those in this state.")


def _answer(rollout: Rollout, status: int = 200) -> Response:
    return Response(RolloutSerializer(selectors.rollouts_of(rollout.endpoint).get(pk=rollout.pk)).data, status=status)


class RolloutListView(PlatformAPIView):
    """The rollouts of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_DEPLOY}

    @paged_schema("Rollout", RolloutSerializer, [_STATE])
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List them, newest first."""
        found = selectors.rollouts_of(get_endpoint(current_user(request), endpoint_id))
        if state := choice_of(request, "state", RolloutState.values):
            found = found.filter(state=state)
        return self.paged(found, RolloutSerializer)

    @extend_schema(request=RolloutCreateSerializer, responses={201: RolloutSerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Bring a version to the endpoint step by step: follow the rollout's state. 409 where one is under way."""
        user = current_user(request)
        endpoint = get_endpoint(user, endpoint_id, Permission.ENDPOINT_DEPLOY)
        values = self.parse(RolloutCreateSerializer)
        version = versions(user).filter(pk=values.pop("model_version")).first()
        if version is None:
            raise ValidationFailed(
                "There is no such model version.",
                remedy="Give the id of a version of the endpoint's project.",
                field="model_version",
            )
        wanted = services.RolloutRequest(version, **values)
        return _answer(services.start(endpoint, wanted, acting_user=actor_of(request)), 201)


class RolloutDetailView(PlatformAPIView):
    """A rollout."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=RolloutSerializer)
    def get(self, request: Request, rollout_id: UUID) -> Response:
        """Answer one with the newest figures that it decided on."""
        return Response(RolloutSerializer(selectors.get_rollout(current_user(request), rollout_id)).data)


class RolloutEventListView(PlatformAPIView):
    """What happened in a rollout."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("RolloutEvent", RolloutEventSerializer)
    def get(self, request: Request, rollout_id: UUID) -> Response:
        """List it, newest first, each with what it was decided on."""
        rollout = selectors.get_rollout(current_user(request), rollout_id)
        return self.paged(selectors.events_of(rollout), RolloutEventSerializer)


class RolloutComparisonView(PlatformAPIView):
    """Candidate and base side by side."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ComparisonSerializer)
    def get(self, request: Request, rollout_id: UUID) -> Response:
        """Answer what is on record of both so far: requests, latencies, answers, how often each was right."""
        rollout = selectors.get_rollout(current_user(request), rollout_id)
        return Response(ComparisonSerializer(compare(rollout)).data)


class RolloutPauseView(PlatformAPIView):
    """Keeping the weights of a rollout as they are."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    @extend_schema(request=PauseSerializer, responses=RolloutSerializer)
    def post(self, request: Request, rollout_id: UUID) -> Response:
        """Pause it. Its conditions go on to hold. 409 where it does not run."""
        rollout = selectors.get_rollout(current_user(request), rollout_id, Permission.ENDPOINT_DEPLOY)
        return _answer(services.pause(rollout, **self.parse(PauseSerializer), acting_user=actor_of(request)))


class RolloutResumeView(PlatformAPIView):
    """Going on after a pause."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    @extend_schema(request=None, responses=RolloutSerializer)
    def post(self, request: Request, rollout_id: UUID) -> Response:
        """Resume it. 409 where it is not paused."""
        rollout = selectors.get_rollout(current_user(request), rollout_id, Permission.ENDPOINT_DEPLOY)
        return _answer(services.resume(rollout, acting_user=actor_of(request)))


class RolloutAdvanceView(PlatformAPIView):
    """Taking the next step before its time."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    @extend_schema(request=ReasonSerializer, responses=RolloutSerializer)
    def post(self, request: Request, rollout_id: UUID) -> Response:
        """Take the next step now, whatever is left of this one. 409 where no step is running."""
        rollout = selectors.get_rollout(current_user(request), rollout_id, Permission.ENDPOINT_DEPLOY)
        return _answer(services.advance(rollout, **self.parse(ReasonSerializer), acting_user=actor_of(request)))


class RolloutStopView(PlatformAPIView):
    """Ending a rollout before its time."""

    permissions = {"POST": Permission.ENDPOINT_ROLLBACK}

    @extend_schema(request=ReasonSerializer, responses=RolloutSerializer)
    def post(self, request: Request, rollout_id: UUID) -> Response:
        """Stop it: what served before serves again at once. 409 where it is over."""
        rollout = selectors.get_rollout(current_user(request), rollout_id, Permission.ENDPOINT_ROLLBACK)
        return _answer(services.stop(rollout, **self.parse(ReasonSerializer), acting_user=actor_of(request)))
