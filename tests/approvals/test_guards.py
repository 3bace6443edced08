"""What each guard of approvals refuses by itself, where another one would refuse it too."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from models.approvals import services
from models.approvals.consents import decide, request_consent
from models.approvals.models import Consent, Promotion
from models.approvals.states import CONSENT, PROMOTION
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.core.errors import PermissionRefused, ValidationFailed
from projects.models import Project
from tests.approvals.conftest import made_by
from tests.approvals.test_promotions import pass_all

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")


def test_what_is_over_stays_over() -> None:
    assert PROMOTION.terminal == {"refused", "withdrawn", "revoked"}
    assert CONSENT.terminal == {"refused", "withdrawn", "used", "revoked"}


def test_a_person_asks_for_production_and_the_platform_does_not(version: ModelVersion) -> None:
    with pytest.raises(PermissionRefused, match="Only a person"):
        services.request_promotion(version, stage="production", acting_user=SYSTEM)
    with pytest.raises(IntegrityError, match="a person asks for production"), transaction.atomic():
        Promotion.objects.create(version=version, stage="production", requester=None, requester_name="the platform")


def test_nobody_is_the_second_person_of_a_version_that_nobody_is_known_to_have_made(
    project: Project, actors: dict[str, Actor]
) -> None:
    unknown = made_by(project, None, 2)
    pass_all(unknown)
    wanted = services.request_promotion(unknown, stage="production", acting_user=actors["bob"])
    with pytest.raises(PermissionRefused, match="Nobody knows who made wine version 2"):
        services.approve(wanted, acting_user=actors["cid"])


def asked(project: Project, actor: Actor, kind: str = "rule", reason: str = "needed") -> Consent:
    content: dict[str, Any] = {"rule": {"then": {"prediction": "no"}}}
    return request_consent(
        project,
        endpoint_id=uuid4(),
        endpoint_name="acme/wine",
        kind=kind,
        content=content,
        reason=reason,
        acting_user=actor,
    )


def test_who_asks_for_consent_may_do_what_it_is_about_and_says_why(project: Project, actors: dict[str, Actor]) -> None:
    with pytest.raises(PermissionRefused):
        asked(project, actors["eve"])
    with pytest.raises(PermissionRefused):
        asked(project, actors["bob"], kind="stage")
    with pytest.raises(PermissionRefused, match="Only a person"):
        asked(project, SYSTEM)
    with pytest.raises(ValidationFailed, match="must know why"):
        asked(project, actors["bob"], reason=" ")
    assert asked(project, actors["dot"], kind="stage").state == "requested"


def test_who_decides_on_a_consent_may_approve_and_a_refusal_says_why(
    project: Project, actors: dict[str, Actor]
) -> None:
    consent = asked(project, actors["bob"])
    for decision in ("give", "refuse", "withdraw"):
        with pytest.raises(PermissionRefused):
            decide(consent, decision=decision, reason="x", acting_user=actors["eve"])
    with pytest.raises(PermissionRefused, match="Only a person"):
        decide(consent, decision="give", acting_user=SYSTEM)
    with pytest.raises(ValidationFailed, match="A refusal needs a reason"):
        decide(consent, decision="refuse", reason=" ", acting_user=actors["cid"])
    with pytest.raises(ValidationFailed, match="is no decision"):
        decide(consent, decision="used", acting_user=actors["cid"])
    assert (
        decide(consent, decision="refuse", reason="it refuses too many", acting_user=actors["cid"]).state == "refused"
    )


def test_the_database_takes_no_consent_that_is_given_from_the_start_nor_another_giver(
    project: Project, actors: dict[str, Actor], people: dict[str, User]
) -> None:
    consent = asked(project, actors["dot"], kind="stage")
    facts = {name: getattr(consent, name) for name in ("project", "endpoint_name", "kind", "content", "reason")}
    begun = {**facts, "endpoint_id": uuid4(), "digest": "0" * 64, "requester": people["dot"], "requester_name": "dot"}
    for wrong in ({"state": "given", "approver": people["cid"]}, {"approver": people["cid"]}):
        with pytest.raises(IntegrityError, match="begins as requested"), transaction.atomic():
            Consent.objects.create(**{**begun, **wrong})
    decide(consent, decision="give", acting_user=actors["cid"])
    rows = Consent.objects.filter(pk=consent.pk)
    with pytest.raises(IntegrityError, match="what was decided does not change"), transaction.atomic():
        rows.update(state="used", approver=people["bob"], decided_by="bob")
    assert rows.update(state="used") == 1
