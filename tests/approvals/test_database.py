"""What the database refuses by itself, whatever code or hand writes to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from jobs.models import Run
from models.approvals.checks import record_check
from models.approvals.models import Check, ModelCard, Promotion
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from projects.models import Project
from tests.approvals.conftest import made_by

pytestmark = pytest.mark.django_db

APPROVE = "UPDATE approvals_promotion SET state = 'approved', approver_id = %s WHERE id = %s"
Ask = Callable[..., Promotion]


def execute(statement: str, values: list[Any]) -> None:
    """What a person with a SQL client would do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def ask(version: ModelVersion, people: dict[str, User]) -> Ask:
    def make(stage: str = "production", requester: str = "bob", **facts: Any) -> Promotion:
        row = Promotion(
            version=facts.pop("version", version),
            stage=stage,
            requester=people[requester],
            requester_name=requester,
            **facts,
        )
        row.save(force_insert=True)
        row.refresh_from_db()
        return row

    return make


@pytest.mark.parametrize("approver", ["ann", "bob", None])
def test_neither_maker_nor_requester_nor_nobody_approves_production(
    ask: Ask, people: dict[str, User], approver: str | None
) -> None:
    wanted = ask()
    assert wanted.author == people["ann"], "who made it is taken from the run"
    with pytest.raises(IntegrityError):
        execute(APPROVE, [people[approver].pk if approver else None, wanted.pk])
    execute(APPROVE, [people["cid"].pk, wanted.pk])
    wanted.refresh_from_db()
    assert (wanted.state, wanted.approver) == ("approved", people["cid"])


def test_the_makers_name_cannot_be_given_away(ask: Ask, people: dict[str, User], version: ModelVersion) -> None:
    wanted = ask(author=people["dot"])
    assert wanted.author == people["ann"]
    with pytest.raises(IntegrityError, match="does not change"):
        execute("UPDATE approvals_promotion SET author_id = NULL WHERE id = %s", [wanted.pk])
    # Even where the run is made to look like another's, what was known when it was asked for holds.
    Run.objects.all().update(created_by=people["eve"])
    for approver in ("ann", "eve"):
        with pytest.raises(IntegrityError, match="made the version"):
            execute(APPROVE, [people[approver].pk, wanted.pk])


def test_the_requester_cannot_be_changed_before_approving(ask: Ask, people: dict[str, User]) -> None:
    wanted = ask()
    with pytest.raises(IntegrityError, match="does not change"):
        execute(
            "UPDATE approvals_promotion SET requester_id = %s, state = 'approved', approver_id = %s WHERE id = %s",
            [people["cid"].pk, people["bob"].pk, wanted.pk],
        )
    with pytest.raises(IntegrityError, match="does not change"):
        execute("UPDATE approvals_promotion SET requester_id = %s WHERE id = %s", [people["cid"].pk, wanted.pk])


def test_an_approval_cannot_be_inserted_or_taken_over_from_another_stage(
    ask: Ask, people: dict[str, User], version: ModelVersion
) -> None:
    with pytest.raises(IntegrityError, match="begins as requested"), transaction.atomic():
        ask(state="approved", approver=people["cid"])
    staging = ask(stage="staging")
    execute(APPROVE, [people["bob"].pk, staging.pk])
    with pytest.raises(IntegrityError, match="does not change"):
        execute("UPDATE approvals_promotion SET stage = 'production' WHERE id = %s", [staging.pk])
    other = made_by(version.model.project, people["cid"], 2)
    with pytest.raises(IntegrityError, match="does not change"):
        execute("UPDATE approvals_promotion SET version_id = %s WHERE id = %s", [other.pk, staging.pk])


def test_what_was_decided_stays_and_nothing_is_deleted(ask: Ask, people: dict[str, User]) -> None:
    wanted = ask()
    execute("UPDATE approvals_promotion SET state = 'refused' WHERE id = %s", [wanted.pk])
    for state in ("approved", "requested"):
        with pytest.raises(IntegrityError):
            execute(f"UPDATE approvals_promotion SET state = '{state}', approver_id = %s", [people["cid"].pk])
    approved = ask()
    execute(APPROVE, [people["cid"].pk, approved.pk])
    with pytest.raises(IntegrityError):
        execute("UPDATE approvals_promotion SET approver_id = %s WHERE id = %s", [people["dot"].pk, approved.pk])
    with pytest.raises(IntegrityError):
        execute(
            "UPDATE approvals_promotion SET state = 'revoked', approver_id = %s WHERE id = %s",
            [people["dot"].pk, approved.pk],
        )
    with pytest.raises(IntegrityError, match="stays on record"):
        execute("DELETE FROM approvals_promotion WHERE id = %s", [approved.pk])


def test_an_override_needs_a_reason_in_the_database_too(ask: Ask, people: dict[str, User]) -> None:
    with pytest.raises(IntegrityError, match="promotion_override_has_reason"):
        execute(
            "UPDATE approvals_promotion SET state = 'approved', is_override = true, approver_id = %s WHERE id = %s",
            [people["cid"].pk, ask().pk],
        )


def test_checks_and_cards_are_only_ever_inserted(version: ModelVersion, project: Project) -> None:
    check = record_check(version, "tests", "failed", acting_user=Actor.system("tests"))
    card = ModelCard.objects.create(version=version, number=1, sections={}, author_name="ann")
    for row in (check, card):
        table = row._meta.db_table
        with pytest.raises(IntegrityError, match="append-only"):
            execute(f"DELETE FROM {table} WHERE id = %s", [row.pk])
        with pytest.raises(IntegrityError, match="append-only"):
            execute(f"UPDATE {table} SET version_id = version_id WHERE id = %s", [row.pk])
    assert Check.objects.get().outcome == "failed"


def test_who_registered_a_version_does_not_approve_it_and_nobody_approves_what_nobody_made(
    ask: Ask, project: Project, people: dict[str, User]
) -> None:
    unknown = made_by(project, None, 2)
    wanted = ask(version=unknown)
    with pytest.raises(IntegrityError, match="nobody knows who made"):
        execute(APPROVE, [people["cid"].pk, wanted.pk])
    registered = made_by(project, None, 3)
    ModelVersion.objects.filter(pk=registered.pk).update(registered_by=people["ann"])
    wanted = ask(version=registered)
    assert wanted.author == people["ann"]
    with pytest.raises(IntegrityError, match="made the version"):
        execute(APPROVE, [people["ann"].pk, wanted.pk])
    execute(APPROVE, [people["cid"].pk, wanted.pk])


def test_a_run_of_somebody_else_does_not_hide_who_registered_it(
    ask: Ask, version: ModelVersion, people: dict[str, User]
) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(registered_by=people["dot"])
    wanted = ask()
    for approver in ("ann", "dot"):
        with pytest.raises(IntegrityError, match="made the version"):
            execute(APPROVE, [people[approver].pk, wanted.pk])
    execute(APPROVE, [people["cid"].pk, wanted.pk])
