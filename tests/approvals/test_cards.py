"""Model cards: revisions, drafts, and when one is filled."""

from __future__ import annotations

import pytest

from models.approvals import selectors, services
from models.approvals.cards import SECTIONS, newest_card, unfilled
from models.approvals.models import Check
from models.approvals.prefilling import drafts
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.core.errors import PermissionRefused, PreconditionFailed, ValidationFailed

pytestmark = pytest.mark.django_db
FULL = {section.key: f"About {section.title}." for section in SECTIONS if section.needed}


def outcomes(version: ModelVersion) -> list[str]:
    return [check.outcome for check in selectors.checks_of(version).order_by("id")]


def test_a_card_passes_once_every_needed_section_has_a_text(version: ModelVersion, actors: dict[str, Actor]) -> None:
    ann = actors["ann"]
    first = services.save_card(version, sections={"purpose": "Whom to call."}, acting_user=ann)
    assert (first.number, outcomes(version)) == (1, [])
    assert [section.key for section in unfilled(first.sections)] == ["limits", "data", "evaluation", "risks", "owner"]
    services.save_card(version, sections=FULL, expected=1, acting_user=ann)
    assert outcomes(version) == ["passed"]
    services.save_card(version, sections={**FULL, "risks": " \n "}, acting_user=ann)
    services.save_card(version, sections={**FULL, "risks": "", "owner": ""}, acting_user=ann)
    services.save_card(version, sections={**FULL, "notes": "more"}, acting_user=ann)
    assert outcomes(version) == ["passed", "failed", "passed"]
    failed = Check.objects.get(outcome="failed")
    assert (failed.detail, failed.evidence) == ("Empty: Risks.", {"revision": 3})
    assert [card.number for card in selectors.cards_of(version)] == [5, 4, 3, 2, 1]


def test_nobody_overwrites_what_they_have_not_seen(version: ModelVersion, actors: dict[str, Actor]) -> None:
    services.save_card(version, sections={"purpose": "a"}, expected=0, acting_user=actors["ann"])
    with pytest.raises(PreconditionFailed, match="at revision 1, and you have seen 0"):
        services.save_card(version, sections={"purpose": "b"}, expected=0, acting_user=actors["bob"])
    same = services.save_card(version, sections={"purpose": " a\r\n"}, acting_user=actors["bob"])
    assert (same.number, same.author_name) == (1, "ann")


def test_wrong_sections_and_roles_are_refused(version: ModelVersion, actors: dict[str, Actor]) -> None:
    for sections in ({"colour": "blue"}, {"purpose": "x" * 10_001}, {"purpose": "a\0b"}):
        with pytest.raises(ValidationFailed):
            services.save_card(version, sections=sections, acting_user=actors["ann"])
    with pytest.raises(PermissionRefused):
        services.save_card(version, sections=FULL, acting_user=actors["eve"])
    assert newest_card(version) is None


def test_what_the_platform_knows_is_a_draft_and_no_text(version: ModelVersion) -> None:
    version.metrics = {"auc": 0.8512345678, "loss": None}
    version.parameters = {"depth": "3"}
    version.algorithm_name = "DecisionTreeClassifier"
    known = drafts(version)
    assert "- auc: 0.851235" in known["evaluation"]
    assert "loss" not in known["evaluation"]
    assert known["algorithm"] == "DecisionTreeClassifier\n\nParameters of its run:\n\n- depth: 3"
    assert "purpose" not in known
    assert newest_card(version) is None
