"""From lab to production: who asks, who approves, what must be known before."""

from __future__ import annotations

from threading import Thread

import pytest
from django.db import connection

from jobs.models import Job, Run
from models.approvals import promotions, selectors, services
from models.approvals.authors import author_of
from models.approvals.gates import require_approved
from models.approvals.models import Promotion
from models.registry import services as registry
from models.registry.models import ModelAlias, ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, NotFound, PermissionRefused, ValidationFailed
from projects.models import Project
from tests.approvals.conftest import made_by

pytestmark = pytest.mark.django_db
Actors = dict[str, Actor]
SYSTEM = Actor.system("tests")


def pass_all(version: ModelVersion) -> None:
    for kind in ("tests", "replay", "card"):
        services.record_check(version, kind, "passed", acting_user=SYSTEM)


def alias(version: ModelVersion, name: str) -> int | None:
    found = ModelAlias.objects.filter(model=version.model, name=name).first()
    return found.version.number if found else None


def test_a_version_reaches_production_by_its_checks_and_a_second_person(version: ModelVersion, actors: Actors) -> None:
    pass_all(version)
    wanted = services.request_promotion(version, stage="production", reason="better", acting_user=actors["bob"])
    assert (wanted.state, wanted.requester_name, wanted.author) == ("requested", "bob", actors["ann"].user)
    assert [each["outcome"] for each in wanted.checks] == ["passed"] * 3
    with pytest.raises(PermissionRefused, match="asked for this approval yourself"):
        services.approve(wanted, acting_user=actors["bob"])
    with pytest.raises(PermissionRefused, match="You made or registered this version"):
        services.approve(wanted, acting_user=actors["ann"])
    with pytest.raises(PermissionRefused, match="Only a person"):
        services.approve(wanted, acting_user=SYSTEM)
    approved = services.approve(wanted, acting_user=actors["cid"])
    assert (approved.state, approved.approver, approved.is_override) == ("approved", actors["cid"].user, False)
    assert alias(version, "production") == 1
    event = AuditEvent.objects.filter(action=AuditAction.PROMOTION_APPROVED).get()
    assert event.after is not None
    assert (event.actor_name, event.after["requester"], event.after["maker"]) == ("cid", "bob", "ann")
    with pytest.raises(Conflict, match="decided already"):
        services.refuse(approved, reason="too late", acting_user=actors["dot"])


def test_missing_checks_are_named_or_overridden_with_a_reason(version: ModelVersion, actors: Actors) -> None:
    services.record_check(version, "tests", "passed", acting_user=SYSTEM)
    services.record_check(version, "replay", "failed", "12 % of the answers flip", acting_user=SYSTEM)
    wanted = services.request_promotion(version, stage="production", acting_user=actors["bob"])
    with pytest.raises(Conflict, match="Replay gate, Model card") as refused:
        services.approve(wanted, acting_user=actors["cid"])
    assert "Start a replay" in refused.value.remedy
    with pytest.raises(ValidationFailed, match="needs a reason"):
        services.approve(wanted, override=True, reason="  ", acting_user=actors["cid"])
    with pytest.raises(PermissionRefused):
        services.approve(wanted, override=True, reason="urgent", acting_user=actors["ann"])
    approved = services.approve(wanted, override=True, reason="the old one is down", acting_user=actors["cid"])
    assert (approved.is_override, approved.decision) == (True, "the old one is down")
    event = AuditEvent.objects.filter(action=AuditAction.PROMOTION_OVERRIDDEN).get()
    assert event.after is not None
    assert (event.reason, event.after["missing"]) == ("the old one is down", ["replay", "card"])


def test_the_newest_check_of_a_kind_counts(version: ModelVersion, actors: Actors) -> None:
    pass_all(version)
    services.record_check(version, "tests", "failed", acting_user=SYSTEM)
    wanted = services.request_promotion(version, stage="production", acting_user=actors["bob"])
    with pytest.raises(Conflict, match="Tests"):
        services.approve(wanted, acting_user=actors["cid"])
    services.record_check(version, "tests", "passed", acting_user=SYSTEM)
    assert services.approve(wanted, acting_user=actors["cid"]).state == "approved"


def test_lab_and_staging_take_no_second_person(version: ModelVersion, actors: Actors) -> None:
    for stage in ("lab", "staging"):
        promotion = services.request_promotion(version, stage=stage, acting_user=actors["ann"])
        assert (promotion.state, promotion.approver) == ("approved", actors["ann"].user)
        assert alias(version, stage) == 1
    with pytest.raises(Conflict, match="approved for staging already"):
        services.request_promotion(version, stage="staging", acting_user=actors["bob"])


def test_roles(version: ModelVersion, actors: Actors, stranger: User) -> None:
    with pytest.raises(PermissionRefused):
        services.request_promotion(version, stage="production", acting_user=actors["eve"])
    with pytest.raises(NotFound):
        services.request_promotion(version, stage="production", acting_user=Actor.person(stranger))
    wanted = services.request_promotion(version, stage="production", acting_user=actors["bob"])
    for refusal in (services.approve, services.refuse, services.withdraw, services.revoke):
        with pytest.raises(PermissionRefused):
            refusal(wanted, reason="x", acting_user=actors["eve"])
    assert not selectors.promotions(stranger).exists()
    with pytest.raises(NotFound):
        selectors.get_promotion(stranger, wanted.pk)


def test_one_wish_at_a_time_which_may_be_withdrawn(version: ModelVersion, actors: Actors) -> None:
    wanted = services.request_promotion(version, stage="production", acting_user=actors["bob"])
    with pytest.raises(Conflict, match="asked already"):
        services.request_promotion(version, stage="production", acting_user=actors["cid"])
    assert services.withdraw(wanted, reason="not yet", acting_user=actors["bob"]).state == "withdrawn"
    again = services.request_promotion(version, stage="production", acting_user=actors["cid"])
    with pytest.raises(ValidationFailed, match="A refusal needs a reason"):
        services.refuse(again, reason=" ", acting_user=actors["dot"])
    assert services.refuse(again, reason="no card", acting_user=actors["dot"]).state == "refused"


def test_what_was_approved_may_be_taken_back(project: Project, version: ModelVersion, actors: Actors) -> None:
    newer = made_by(project, actors["bob"].user, 2)
    for each, asks in ((version, "bob"), (newer, "ann")):
        pass_all(each)
        wanted = services.request_promotion(each, stage="production", acting_user=actors[asks])
        services.approve(wanted, acting_user=actors["cid"])
    assert alias(newer, "production") == 2
    with pytest.raises(ValidationFailed):
        services.revoke(wanted, reason="", acting_user=actors["dot"])
    with pytest.raises(PermissionRefused, match="Somebody else has given this"):
        services.revoke(wanted, reason="wrong units", acting_user=actors["bob"])
    services.revoke(wanted, reason="wrong units", acting_user=actors["dot"])
    assert alias(newer, "production") == 1
    with pytest.raises(Conflict, match="not approved for production"):
        require_approved([newer], "production")
    require_approved([version], "production")
    # Whoever gave it may, too.
    services.revoke(Promotion.objects.get(version=version), reason="also", acting_user=actors["cid"])
    assert alias(version, "production") is None


@pytest.mark.django_db(transaction=True)
def test_taking_one_back_while_another_is_approved_leaves_the_alias_at_the_newest(
    project: Project, version: ModelVersion, actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, third = (made_by(project, actors["bob"].user, number) for number in (2, 3))
    wanted = []
    for each, asks in ((version, "bob"), (second, "ann"), (third, "ann")):
        pass_all(each)
        wanted.append(services.request_promotion(each, stage="production", acting_user=actors[asks]))
    for asked in wanted[:2]:
        services.approve(asked, acting_user=actors["cid"])

    def approve_third() -> None:
        services.approve(wanted[2], acting_user=actors["cid"])
        connection.close()

    beside = Thread(target=approve_third)

    def serving(model: RegisteredModel, stage: str) -> Promotion | None:
        found = selectors.serving_stage(model, stage)
        beside.start()
        beside.join(1)
        return found

    monkeypatch.setattr(promotions, "serving_stage", serving)
    services.revoke(wanted[1], reason="wrong units", acting_user=actors["dot"])
    beside.join(30)
    newest = selectors.serving_stage(version.model, "production")
    assert newest is not None
    assert newest.version == third
    assert alias(version, "production") == 3


def test_the_gate_says_what_is_missing_and_where_to_get_it(version: ModelVersion, actors: Actors) -> None:
    require_approved([version], "lab")
    with pytest.raises(Conflict, match="Tests, Replay gate, Model card") as refused:
        require_approved([version], "production")
    assert f"/model-versions/{version.pk}/approval/" in refused.value.remedy
    with pytest.raises(Conflict, match="not approved for staging"):
        require_approved([version], "staging")
    services.request_promotion(version, stage="staging", acting_user=actors["ann"])
    require_approved([version], "staging")
    pass_all(version)
    services.request_promotion(version, stage="production", acting_user=actors["bob"])
    with pytest.raises(Conflict) as refused:
        require_approved([version], "production")
    assert "second person" in refused.value.remedy


def test_an_approval_for_production_is_enough_for_staging(version: ModelVersion, actors: Actors) -> None:
    pass_all(version)
    services.approve(
        services.request_promotion(version, stage="production", acting_user=actors["bob"]), acting_user=actors["cid"]
    )
    require_approved([version], "staging")


def test_who_made_it_is_who_started_the_run_or_made_its_job(project: Project, people: dict[str, User]) -> None:
    by_schedule = made_by(project, people["ann"])
    job = Job.objects.create(project=project, name="nightly", script="train.py", created_by=people["cid"])
    Run.objects.update(created_by=None, job=job)
    assert author_of(by_schedule) == people["cid"]
    assert author_of(made_by(project, None, 2)) is None


def test_a_stages_alias_is_set_by_an_approval_alone(version: ModelVersion, actors: Actors) -> None:
    for name in ("production", "Staging", " lab "):
        with pytest.raises(Conflict, match="is a stage's"):
            registry.set_alias(version.model, name=name, version=version, acting_user=actors["dot"])
    services.request_promotion(version, stage="staging", acting_user=actors["ann"])
    with pytest.raises(Conflict, match="is a stage's"):
        registry.remove_alias(version.model, name="staging", acting_user=actors["dot"])


def test_unready_versions_and_wrong_words_are_refused(version: ModelVersion, actors: Actors) -> None:
    with pytest.raises(ValidationFailed, match="no stage"):
        services.request_promotion(version, stage="moon", acting_user=actors["bob"])
    for kind, outcome in (("Not a kind", "passed"), ("tests", "maybe")):
        with pytest.raises(ValidationFailed):
            services.record_check(version, kind, outcome, acting_user=actors["bob"])
    with pytest.raises(PermissionRefused):
        services.record_check(version, "tests", "passed", acting_user=actors["eve"])
    ModelVersion.objects.update(state="failed")
    version.refresh_from_db()
    with pytest.raises(Conflict, match="not ready"):
        services.request_promotion(version, stage="production", acting_user=actors["bob"])
