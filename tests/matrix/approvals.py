"""A promotion that waits, one that was approved, and a version with a card and tests, for the matrix."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.utils import timezone

from models.approvals import services
from models.approvals.consents import decide
from models.approvals.models import Consent, Promotion, VersionTest
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User

SYSTEM = Actor.system("tests")


def add_approvals(version: ModelVersion, requester: User, giver: User) -> dict[str, Any]:
    """`requester` asks for production, so that everybody else who may approve is a second person. What is given is of
    the `giver`, so that who has that role may take it back, besides administrators.

    The tested version is of the model that the project's file declares a test of.
    """
    services.record_check(version, "tests", "passed", "Passed: good-enough.", acting_user=SYSTEM)
    services.record_check(version, "replay", "failed", "12 % of the answers flip.", acting_user=SYSTEM)
    ModelVersion.objects.filter(pk=version.pk).update(registered_by=requester)
    waiting = Promotion.objects.create(
        version=version, stage="production", requester=requester, requester_name=requester.username, reason="better"
    )
    approved = services.request_promotion(version, stage="lab", acting_user=Actor.person(giver))
    model = RegisteredModel.objects.create(project=version.model.project, name="iris")
    tested = ModelVersion.objects.create(model=model, number=1, state="ready", source="models:/m-9")
    services.save_card(tested, sections={"purpose": "Which iris it is."}, acting_user=SYSTEM)
    services.start_tests(tested, acting_user=SYSTEM)
    VersionTest.objects.update(noted_at=timezone.now())
    consent, given = (
        Consent.objects.create(
            project=version.model.project,
            endpoint_id=uuid4(),
            endpoint_name="acme/churn",
            kind="rule",
            digest="0" * 64,
            content={"rule": {"then": {"prediction": "no"}}},
            requester=requester,
            requester_name=requester.username,
            reason="simple",
        )
        for _ in range(2)
    )
    decide(given, decision="give", acting_user=Actor.person(giver))
    return {
        "consent_id": consent.pk,
        "given_consent_id": given.pk,
        "promotion_id": waiting.pk,
        "approved_promotion_id": approved.pk,
        "tested_version_id": tested.pk,
    }
