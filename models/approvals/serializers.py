"""REST forms of checks, cards, tests, promotions and policies."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from models.approvals.cards import MAX_SECTION, SECTIONS
from models.approvals.models import Check, ModelCard, Promotion, VersionTest
from models.approvals.promotions import MAX_REASON
from models.approvals.stages import Stage


class CheckSerializer(serializers.ModelSerializer[Check]):
    """What was found out about a version; of several of a kind, the newest counts."""

    evidence = serializers.DictField(child=serializers.JSONField(), read_only=True)

    class Meta:
        model = Check
        fields = ["id", "kind", "outcome", "detail", "evidence", "actor_name", "created_at"]
        read_only_fields = fields


class StandSerializer(serializers.Serializer[Any]):
    """How one of the needed checks stands."""

    kind = serializers.CharField()
    outcome = serializers.CharField(allow_null=True, help_text="`passed`, `failed`, or null where there is none.")
    detail = serializers.CharField(allow_blank=True)
    check_id = serializers.UUIDField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)


class SectionsSerializer(serializers.Serializer[Any]):
    """The texts of a card, in Markdown."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """One text for each section."""
        return {
            section.key: serializers.CharField(
                required=False,
                allow_blank=True,
                max_length=MAX_SECTION,
                help_text=f"{section.question}{'' if section.needed else ' May be left out.'}",
            )
            for section in SECTIONS
        }


class CardSerializer(serializers.ModelSerializer[ModelCard]):
    """A revision of a version's card."""

    revision = serializers.IntegerField(source="number", read_only=True)
    sections = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ModelCard
        fields = ["id", "revision", "sections", "author_name", "created_at"]
        read_only_fields = fields


class CardDetailSerializer(serializers.Serializer[Any]):
    """A version's card as it is now. `drafts` is what the platform knows for sections that are empty."""

    revision = serializers.IntegerField(help_text="0 where nobody has written one.")
    sections = serializers.DictField(child=serializers.CharField())
    unfilled = serializers.ListField(child=serializers.CharField(), help_text="Needed sections without a text.")
    drafts = serializers.DictField(child=serializers.CharField())
    author_name = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField(allow_null=True)


class CardChangeSerializer(serializers.Serializer[Any]):
    """All sections of a card; what is left out is empty."""

    sections = SectionsSerializer()


class VersionTestSerializer(serializers.ModelSerializer[VersionTest]):
    """A run of a test step on a version."""

    run = serializers.UUIDField(source="run_id", read_only=True)
    run_number = serializers.IntegerField(source="run.number", read_only=True)
    state = serializers.CharField(source="run.state", read_only=True)

    class Meta:
        model = VersionTest
        fields = ["id", "step", "run", "run_number", "state", "created_at", "noted_at"]
        read_only_fields = fields


class VersionTestListSerializer(serializers.Serializer[Any]):
    """The runs that were started together."""

    results = VersionTestSerializer(many=True)


class PromotionSerializer(serializers.ModelSerializer[Promotion]):
    """A promotion: what was asked for, how its checks stood, what was decided."""

    model = serializers.UUIDField(source="version.model_id", read_only=True)
    model_name = serializers.CharField(source="version.model.name", read_only=True)
    version_number = serializers.IntegerField(source="version.number", read_only=True)
    project = serializers.UUIDField(source="version.model.project_id", read_only=True)
    maker_name = serializers.CharField(
        source="author.username", default=None, read_only=True, allow_null=True, help_text="Whose run made the version."
    )
    checks = StandSerializer(many=True, read_only=True)
    decided_checks = StandSerializer(many=True, read_only=True)

    class Meta:
        model = Promotion
        fields = [
            *("id", "version", "version_number", "model", "model_name", "project", "stage", "state"),
            *("requester_name", "maker_name", "reason", "checks", "created_at"),
            *("decided_by", "decided_at", "decision", "decided_checks", "is_override"),
            *("revoked_by", "revoked_at", "revocation"),
        ]
        read_only_fields = fields


class PromotionCreateSerializer(serializers.Serializer[Promotion]):
    """What a version is to be approved for."""

    stage = serializers.ChoiceField(Stage.choices)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)


class ApprovalSerializer(serializers.Serializer[Promotion]):
    """A decision for it."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)
    override = serializers.BooleanField(
        required=False, default=False, help_text="Approve although needed checks are missing; takes a reason."
    )


class PromotionReasonSerializer(serializers.Serializer[Promotion]):
    """Why."""

    reason = serializers.CharField(max_length=MAX_REASON)


class WithdrawalSerializer(serializers.Serializer[Promotion]):
    """Why, if you like."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_REASON)


class PolicySerializer(serializers.Serializer[Any]):
    """Which kinds of checks a version needs for a stage."""

    staging = serializers.ListField(child=serializers.CharField(max_length=32), max_length=20, required=False)
    production = serializers.ListField(child=serializers.CharField(max_length=32), max_length=20, required=False)
