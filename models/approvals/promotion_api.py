"""REST: promotions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.approvals import selectors, services
from models.approvals.deciding import to_decide
from models.approvals.models import Promotion
from models.approvals.serializers import (
    ApprovalSerializer,
    PromotionCreateSerializer,
    PromotionReasonSerializer,
    PromotionSerializer,
    WithdrawalSerializer,
)
from models.approvals.stages import Stage
from models.approvals.states import PromotionState
from models.registry.selectors import get_version
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema
from modelwright.core.parameters import choice_of

_FILTERS = [
    OpenApiParameter("state", str, enum=PromotionState.values, description="Only those in this state."),
    OpenApiParameter("stage", str, enum=Stage.values, description="Only those to this stage."),
    OpenApiParameter("mine", bool, description="Only those that wait for a decision which you may make."),
]


class PromotionListView(PlatformAPIView):
    """Promotions in every project that one may see."""

    permissions = {"GET": SIGNED_IN}

    @paged_schema("Promotion", PromotionSerializer, _FILTERS)
    def get(self, request: Request) -> Response:
        """List promotions, newest first."""
        user = current_user(request)
        wants_own = choice_of(request, "mine", ["true", "false"]) == "true"
        found = to_decide(user) if wants_own else selectors.promotions(user)
        return self.paged(_filtered(request, found), PromotionSerializer)


class VersionPromotionListView(PlatformAPIView):
    """The promotions of a version."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.MODEL_EDIT}

    @paged_schema("VersionPromotion", PromotionSerializer)
    def get(self, request: Request, version_id: UUID) -> Response:
        """List them, newest first."""
        user = current_user(request)
        version = get_version(user, version_id)
        return self.paged(selectors.promotions(user).filter(version=version), PromotionSerializer)

    @extend_schema(request=PromotionCreateSerializer, responses={201: PromotionSerializer})
    @idempotent
    def post(self, request: Request, version_id: UUID) -> Response:
        """Ask that the version be approved for a stage. For production a second person decides."""
        version = get_version(current_user(request), version_id, Permission.MODEL_EDIT)
        values = self.parse(PromotionCreateSerializer)
        promotion = services.request_promotion(version, **values, acting_user=actor_of(request))
        return Response(PromotionSerializer(promotion).data, status=201)


class PromotionDetailView(PlatformAPIView):
    """A promotion."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=PromotionSerializer)
    def get(self, request: Request, promotion_id: UUID) -> Response:
        """Answer one promotion."""
        return _answer(selectors.get_promotion(current_user(request), promotion_id))


class PromotionApprovalView(PlatformAPIView):
    """Deciding for a promotion."""

    permissions = {"POST": Permission.MODEL_APPROVE}

    @extend_schema(request=ApprovalSerializer, responses=PromotionSerializer)
    def post(self, request: Request, promotion_id: UUID) -> Response:
        """Approve it. For production neither the one who asked nor the one who made the version may."""
        promotion = selectors.get_promotion(current_user(request), promotion_id, Permission.MODEL_APPROVE)
        values = self.parse(ApprovalSerializer)
        return _answer(services.approve(promotion, **values, acting_user=actor_of(request)))


class PromotionRefusalView(PlatformAPIView):
    """Deciding against a promotion."""

    permissions = {"POST": Permission.MODEL_APPROVE}

    @extend_schema(request=PromotionReasonSerializer, responses=PromotionSerializer)
    def post(self, request: Request, promotion_id: UUID) -> Response:
        """Refuse it, with a reason."""
        promotion = selectors.get_promotion(current_user(request), promotion_id, Permission.MODEL_APPROVE)
        values = self.parse(PromotionReasonSerializer)
        return _answer(services.refuse(promotion, **values, acting_user=actor_of(request)))


class PromotionWithdrawalView(PlatformAPIView):
    """Taking back a wish."""

    permissions = {"POST": Permission.MODEL_EDIT}

    @extend_schema(request=WithdrawalSerializer, responses=PromotionSerializer)
    def post(self, request: Request, promotion_id: UUID) -> Response:
        """Withdraw it, so that nobody decides on it any more."""
        promotion = selectors.get_promotion(current_user(request), promotion_id, Permission.MODEL_EDIT)
        values = self.parse(WithdrawalSerializer)
        return _answer(services.withdraw(promotion, **values, acting_user=actor_of(request)))


class PromotionRevocationView(PlatformAPIView):
    """Taking back an approval."""

    permissions = {"POST": Permission.MODEL_APPROVE}

    @extend_schema(request=PromotionReasonSerializer, responses=PromotionSerializer)
    def post(self, request: Request, promotion_id: UUID) -> Response:
        """Take an approval back, with a reason: for whoever gave it, and administrators of the project. What serves
        goes on until it is changed."""
        promotion = selectors.get_promotion(current_user(request), promotion_id, Permission.MODEL_APPROVE)
        values = self.parse(PromotionReasonSerializer)
        return _answer(services.revoke(promotion, **values, acting_user=actor_of(request)))


def _answer(promotion: Promotion) -> Response:
    return Response(PromotionSerializer(promotion).data)


def _filtered(request: Request, found: QuerySet[Promotion]) -> QuerySet[Promotion]:
    wanted: dict[str, Any] = {
        "state": choice_of(request, "state", PromotionState.values),
        "stage": choice_of(request, "stage", Stage.values),
    }
    return found.filter(**{name: value for name, value in wanted.items() if value})
