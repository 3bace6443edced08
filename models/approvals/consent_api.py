"""REST: consents to what decides in production beside models."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from models.approvals import consent_selectors
from models.approvals.consents import DECISIONS, decide, revoke
from models.approvals.models import Consent
from models.approvals.promotions import MAX_REASON
from models.approvals.serializers import PromotionReasonSerializer
from models.approvals.states import ConsentState
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema
from modelwright.core.parameters import choice_of, id_of

_FILTERS = [
    OpenApiParameter("state", str, enum=ConsentState.values, description="Only those in this state."),
    OpenApiParameter("endpoint", str, description="Only those of the endpoint with this id."),
]


class ConsentSerializer(serializers.ModelSerializer[Consent]):
    """A consent: to what, who asked, what was decided. `digest` is the SHA-256 of `content` as canonical JSON."""

    content = serializers.DictField(child=serializers.JSONField(), read_only=True)

    class Meta:
        model = Consent
        fields = [
            *("id", "project", "endpoint_id", "endpoint_name", "kind", "digest", "content", "state"),
            *("requester_name", "reason", "created_at", "decided_by", "decided_at", "decision", "used_at"),
            *("revoked_by", "revoked_at", "revocation"),
        ]
        read_only_fields = fields


class ConsentDecisionSerializer(serializers.Serializer[Any]):
    """What is decided."""

    decision = serializers.ChoiceField(DECISIONS)
    reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=MAX_REASON, help_text="Needed to refuse."
    )


class ConsentListView(PlatformAPIView):
    """Consents in every project that one may see."""

    permissions = {"GET": SIGNED_IN}

    @paged_schema("Consent", ConsentSerializer, _FILTERS)
    def get(self, request: Request) -> Response:
        """List consents, newest first."""
        found = consent_selectors.consents(current_user(request))
        if state := choice_of(request, "state", ConsentState.values):
            found = found.filter(state=state)
        if endpoint_id := id_of(request, "endpoint", "an endpoint"):
            found = found.filter(endpoint_id=endpoint_id)
        return self.paged(found, ConsentSerializer)


class ConsentDetailView(PlatformAPIView):
    """A consent."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ConsentSerializer)
    def get(self, request: Request, consent_id: UUID) -> Response:
        """Answer one consent."""
        return Response(ConsentSerializer(consent_selectors.get_consent(current_user(request), consent_id)).data)


class ConsentDecisionView(PlatformAPIView):
    """Deciding on a consent."""

    permissions = {"POST": Permission.MODEL_APPROVE}

    @extend_schema(request=ConsentDecisionSerializer, responses=ConsentSerializer)
    def post(self, request: Request, consent_id: UUID) -> Response:
        """Give it as a second person, refuse it with a reason, or withdraw it."""
        consent = consent_selectors.get_consent(current_user(request), consent_id, Permission.MODEL_APPROVE)
        values = self.parse(ConsentDecisionSerializer)
        return Response(ConsentSerializer(decide(consent, **values, acting_user=actor_of(request))).data)


class ConsentRevocationView(PlatformAPIView):
    """Taking back a consent."""

    permissions = {"POST": Permission.MODEL_APPROVE}

    @extend_schema(request=PromotionReasonSerializer, responses=ConsentSerializer)
    def post(self, request: Request, consent_id: UUID) -> Response:
        """Take back what was given, with a reason: for whoever gave it, and administrators of the project. Nothing is
        deployed by it any more; what serves goes on until it is changed."""
        consent = consent_selectors.get_consent(current_user(request), consent_id, Permission.MODEL_APPROVE)
        values = self.parse(PromotionReasonSerializer)
        return Response(ConsentSerializer(revoke(consent, **values, acting_user=actor_of(request))).data)
