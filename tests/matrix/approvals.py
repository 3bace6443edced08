"""A promotion that waits and one that was approved, of the matrix's versions, with checks and without a card."""

from __future__ import annotations

from typing import Any

from models.approvals import services
from models.approvals.models import Promotion
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User

SYSTEM = Actor.system("tests")


def add_approvals(version: ModelVersion, requester: User) -> dict[str, Any]:
    """`requester` asks for production, so that everybody else who may approve is a second person."""
    services.record_check(version, "tests", "passed", "Passed: good-enough.", acting_user=SYSTEM)
    services.record_check(version, "replay", "failed", "12 % of the answers flip.", acting_user=SYSTEM)
    waiting = Promotion.objects.create(
        version=version, stage="production", requester=requester, requester_name=requester.username, reason="better"
    )
    approved = services.request_promotion(version, stage="lab", acting_user=SYSTEM)
    return {"promotion_id": waiting.pk, "approved_promotion_id": approved.pk}
