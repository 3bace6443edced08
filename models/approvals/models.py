"""Tables: checks, model cards, runs of tests, promotions, and what a project needs for each stage."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from jobs.models import Run
from models.approvals.stages import Stage
from models.approvals.states import ConsentState, PromotionState
from models.registry.models import ModelVersion
from modelwright.core.models import BaseModel
from projects.models import Project


class Check(BaseModel):
    """What was found out about a version. Only ever inserted (a trigger); the newest of a kind counts.

    `kind` is a slug such as `tests`, `replay`, `card` or `smoke`, `evidence` whatever the one who checked found.
    """

    class Outcome(models.TextChoices):
        """What came of it."""

        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="checks")
    kind = models.CharField(max_length=32)
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    detail = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=100)

    class Meta:
        indexes = [models.Index(fields=["version", "kind", "-id"], name="approvals_newest_check")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.version_id}: {self.outcome}"


class ModelCard(BaseModel):
    """One revision of a version's card, `{section: text}`; see `cards.SECTIONS`. Only ever inserted (a trigger)."""

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="cards")
    number = models.PositiveIntegerField()
    sections = models.JSONField(default=dict)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    author_name = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "number"], name="model_card_number")]

    def __str__(self) -> str:
        return f"card {self.number} of {self.version_id}"


class VersionTest(BaseModel):
    """A run of one of the project's test steps on a version. `noted_at` is when its end was taken into account."""

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="tests")
    step = models.CharField(max_length=63)
    # Tests that were started together make one check.
    batch_id = models.UUIDField(db_index=True)
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="+")
    noted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["batch_id"], condition=models.Q(noted_at__isnull=True), name="approvals_open_tests")
        ]

    def __str__(self) -> str:
        return f"{self.step} on {self.version_id}"


class ApprovalPolicy(BaseModel):
    """Which checks a project needs for a stage. Without a row `stages.DEFAULT_NEEDED` holds."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+")
    staging = models.JSONField(default=list, blank=True)
    production = models.JSONField(default=list, blank=True)
    revision = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"policy of {self.project_id}"


class Promotion(BaseModel):
    """The wish that a version be approved for a stage, and what came of it. `transitions.py` alone writes its state.

    A trigger refuses an approver for production who asked for it or who made the version, another past, and changes
    of what was asked for. `checks` is how things stood when it was asked for, `decided_checks` when it was decided:
    `[{"kind", "outcome" (null where there is none), "detail", "check_id", "at"}]`.
    """

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotions")
    stage = models.CharField(max_length=16, choices=Stage.choices)
    state = models.CharField(max_length=16, choices=PromotionState.choices, default=PromotionState.REQUESTED)
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    requester_name = models.CharField(max_length=100)
    # The person whose run made the version, None where that is not known.
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True, default="")
    checks = models.JSONField(default=list, blank=True)

    approver = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_by = models.CharField(max_length=100, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    decision = models.TextField(blank=True, default="")
    decided_checks = models.JSONField(default=list, blank=True)
    # Approved although needed checks were missing; `decision` says why.
    is_override = models.BooleanField(default=False)
    revoked_by = models.CharField(max_length=100, blank=True, default="")
    revoked_at = models.DateTimeField(null=True)
    revocation = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "stage"], condition=models.Q(state="requested"), name="promotion_one_open"
            ),
            models.CheckConstraint(
                condition=models.Q(is_override=False) | ~models.Q(decision=""), name="promotion_override_has_reason"
            ),
        ]
        indexes = [models.Index(fields=["state", "-id"], name="approvals_promotion_state")]

    def __str__(self) -> str:
        return f"{self.version} to {self.stage}"


class Consent(BaseModel):
    """The wish that a second person agree to something at an endpoint of production that is no model: a graph or a rule
    that answers there, or that the endpoint leaves production. `transitions.py` alone writes its state.

    `digest` is of `content` (`consents.digest_of`): what was agreed to is that, and nothing else. A trigger refuses
    whoever asked for it as the one who agrees, another past, and changes of what was asked for.
    """

    class Kind(models.TextChoices):
        """What is agreed to."""

        GRAPH = "graph", "Inference graph"
        RULE = "rule", "Rule as fallback"
        STAGE = "stage", "Leaving production"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    # Endpoints are known above this room.
    endpoint_id = models.UUIDField()
    endpoint_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    digest = models.CharField(max_length=64)
    content = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=ConsentState.choices, default=ConsentState.REQUESTED)
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requester_name = models.CharField(max_length=100)
    reason = models.TextField()
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_by = models.CharField(max_length=100, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.TextField(blank=True, default="")
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint_id", "kind", "digest"],
                condition=models.Q(state="requested"),
                name="consent_one_open",
            )
        ]
        indexes = [models.Index(fields=["endpoint_id", "kind", "digest"], name="approvals_consent_digest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.endpoint_name}"
