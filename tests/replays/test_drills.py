"""The way back of an endpoint, proved by real replicas; when it is due; what is asked; what a failure raises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from models.endpoints import replicas, smoking
from models.endpoints import selectors as endpoint_selectors
from models.endpoints import services as endpoint_services
from models.endpoints.models import Endpoint, Replica
from models.predictions.models import Prediction
from models.predictions.verdicts import Answer
from models.registry.models import ModelVersion
from models.replays import drill_services, drilling, golden
from models.replays.alerts import open_alert
from models.replays.models import Drill, DrillAlert, DrillPolicy
from models.replays.policies import set_drill_policy
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.backends.base import Phase
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.models import Host, Workload
from modelwright.core import mail
from modelwright.core.errors import Conflict, NotFound, ValidationFailed
from modelwright.core.ids import new_id
from tests.gateway.processes import RECORD
from tests.models_support import wait_for, watch
from tests.replays.conftest import Predicted, serve, version_of

SYSTEM = Actor.system("tests")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_the_way_back_is_started_asked_timed_and_taken_away(
    api: Callable[[User], Any],
    browser_client: Callable[[User], Client],
    ann: User,
    endpoint: Endpoint,
    host: Host,
    backend: LocalBackend,
    predicted: Predicted,
) -> None:
    predicted()
    predicted(inputs=[RECORD, {**RECORD, "malic_acid": None}])
    predicted(number=2, outputs=["of another version"])
    address = f"/api/v1/endpoints/{endpoint.pk}/drills/"

    def drilled() -> Drill:
        answer = api(ann).post(address)
        assert answer.status_code == 201, answer.json()
        (started,) = answer.json()["results"]
        found = Drill.objects.get(pk=started["id"])

        def over() -> bool:
            watch(host, backend)
            drilling.tick()
            found.refresh_from_db()
            return not found.is_under_way

        assert list(endpoint_selectors.replicas_of(endpoint)) == [], "nobody else looks after a drill's replica"
        wait_for(over)
        return found

    proved = drilled()
    assert (proved.state, proved.model_version, proved.deployment.number) == ("passed", version_of(1), 1), proved.detail
    assert (proved.compared, proved.differing) == (2, 0)
    total = proved.total_seconds
    assert total is not None
    parts = [proved.queue_seconds, proved.start_seconds, proved.answer_seconds]
    assert sum(part for part in parts if part is not None) == pytest.approx(total)
    assert open_alert(endpoint.pk) is None

    # What it answers now is not what is on record.
    wrong = predicted(outputs=["one:1"])
    failed = drilled()
    assert (failed.state, failed.compared, failed.differing) == ("failed", 3, 1)
    assert failed.examples[0]["prediction_id"] == wrong.pk.hex
    assert "'one:1' and is 'one:0'" in failed.detail
    alert = open_alert(endpoint.pk)
    assert alert is not None
    page = browser_client(ann)
    shown = page.get(f"/endpoints/{endpoint.pk}/drills/proof/").content.decode()
    assert "The way back is not proved." in shown
    assert page.post(f"/drill-alerts/{alert.pk}/acknowledge/").status_code == 302
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.ended_at) == ("ann", None)

    def all_ended() -> bool:
        watch(host, backend)
        return all(status.phase is Phase.ENDED for status in backend.list())

    wait_for(all_ended)
    assert not Replica.objects.exclude(purpose="drill").exists()
    assert page.get(f"/drills/{failed.pk}/").status_code == 200
    ends = AuditEvent.objects.filter(action="drill.ended").order_by("id").values_list("after", flat=True)
    assert [after["state"] for after in ends if after] == ["passed", "failed"]


@pytest.mark.django_db
def test_a_drill_that_is_due_begins_once_and_says_why_not(endpoint: Endpoint) -> None:
    policy = set_drill_policy(endpoint, {"schedule": "30 4 * * 0"}, acting_user=SYSTEM)
    assert policy.next_at is not None
    assert policy.next_at > timezone.now()

    def due(ago: timedelta) -> DrillPolicy:
        DrillPolicy.objects.update(next_at=timezone.now() - ago)
        before = DrillPolicy.objects.get()
        drilling.begin_due(before)
        drilling.begin_due(before)
        return DrillPolicy.objects.get()

    after = due(timedelta(seconds=5))
    assert (after.note, after.next_at) == ("", policy.next_at)
    assert [drill.trigger for drill in Drill.objects.all()] == ["schedule"]
    assert "being proved already" in due(timedelta(seconds=5)).note
    assert "when the platform did not run" in due(timedelta(days=1)).note
    endpoint_services.stop(endpoint, acting_user=SYSTEM)
    assert due(timedelta(seconds=5)).note == "The endpoint is stopped."
    assert Drill.objects.count() == 1
    with pytest.raises(ValidationFailed, match="no schedule"):
        set_drill_policy(endpoint, {"schedule": "99 * * * *"}, acting_user=SYSTEM)
    assert set_drill_policy(endpoint, {"schedule": ""}, acting_user=SYSTEM).next_at is None


@pytest.mark.django_db
def test_where_nothing_served_before_there_is_nothing_to_prove(endpoint: Endpoint, ann: User) -> None:
    alone = endpoint_services.create_endpoint(project=endpoint.project, name="alone", acting_user=SYSTEM)
    serve(alone, version_of(1))
    with pytest.raises(Conflict, match="nothing to go back to"):
        drill_services.start_drills(alone, acting_user=Actor.person(ann))
    drill_services.start_drills(endpoint, acting_user=Actor.person(ann))
    with pytest.raises(Conflict, match="being proved already"):
        drill_services.start_drills(endpoint, acting_user=Actor.person(ann))


@pytest.mark.django_db
def test_a_version_without_environment_is_found_out_at_once(
    endpoint: Endpoint, ann: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    User.objects.filter(pk=ann.pk).update(email="ann@example.org")
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(mail, "send", lambda *message: sent.append(message))
    ModelVersion.objects.filter(number=1).update(environment_request=None)
    with django_capture_on_commit_callbacks(execute=True):
        (drill,) = drill_services.start_drills(endpoint, acting_user=SYSTEM)
    assert (drill.state, drill.replica) == ("failed", None)
    assert "has no environment" in drill.detail
    alert = open_alert(endpoint.pk)
    assert alert is not None
    assert alert.detail == drill.detail
    ((to, subject, text),) = sent
    assert (to, subject) == (["ann@example.org"], "The way back of acme/tasting is not proved")
    assert f"/drills/{drill.pk}/" in text
    # One alert of an endpoint is open at a time; it tells of the newest.
    (again,) = drill_services.start_drills(endpoint, acting_user=SYSTEM)
    assert DrillAlert.objects.get().drill == again


@pytest.mark.django_db
def test_drills_whose_replica_ends_waits_or_is_late_fail_and_are_taken_away(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun() -> Drill:
        (made,) = drill_services.start_drills(endpoint, acting_user=SYSTEM)
        return made

    def outcome(drill: Drill) -> tuple[str, str]:
        drilling.tick()
        drill.refresh_from_db()
        return drill.state, drill.detail

    waiting = begun()
    assert outcome(waiting) == ("queued", "")
    monkeypatch.setattr(drilling, "QUEUE_LIMIT", timedelta(0))
    assert "it still had no place" in outcome(waiting)[1]
    assert waiting.replica is not None
    waiting.replica.workload.refresh_from_db()
    assert waiting.replica.workload.state == "cancelled"

    ended = begun()
    now = timezone.now()
    workloads = Workload.objects.filter(replica__drill=ended)
    workloads.update(state="failed", finished_at=now, placed_at=now, detail="Killed.")
    assert outcome(ended) == ("failed", "The replica of wine version 1 failed.\nKilled.")

    late = begun()
    Workload.objects.filter(replica__drill=late).update(
        state="running", placed_at=now, started_at=now - timedelta(minutes=11)
    )
    assert "did not answer within 10 minutes" in outcome(late)[1]

    ModelVersion.objects.filter(number=1).update(example=None)
    slow = begun()
    Drill.objects.filter(pk=slow.pk).update(max_seconds=1, created_at=now - timedelta(seconds=60))
    Workload.objects.filter(replica__drill=slow).update(state="running", placed_at=now)
    monkeypatch.setattr(replicas, "probe", lambda _: True)
    assert outcome(slow)[0] == "failed"
    assert "at most 1 s are allowed" in slow.detail
    assert slow.asked == 0, "version 1 has no answer on record, and no replica was there to be asked"
    left = Replica.objects.filter(purpose="drill", workload__cancel_requested_at=None, workload__finished_at=None)
    assert not left.exists()


@pytest.mark.django_db
def test_drills_are_not_timed_by_each_other(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    other = endpoint_services.create_endpoint(project=endpoint.project, name="other", acting_user=SYSTEM)
    for number in (1, 2):
        serve(other, version_of(number))
    drills = [drill_services.start_drills(each, acting_user=SYSTEM)[0] for each in (endpoint, other)]
    Drill.objects.update(max_seconds=150)
    Workload.objects.update(state="running", placed_at=timezone.now())
    now, asked_for = timezone.now, [timedelta()]
    monkeypatch.setattr(timezone, "now", lambda: now() + asked_for[0])

    def answers(replica: Replica) -> bool:
        replica.healthy_at = replica.healthy_at or timezone.now()
        return True

    def ask(*_: Any) -> smoking.Reply:
        asked_for[0] += timedelta(seconds=100)
        return smoking.Reply({}, "", 0.0)

    monkeypatch.setattr(replicas, "probe", answers)
    monkeypatch.setattr(smoking, "ask", ask)
    drilling.tick()
    for drill in drills:
        drill.refresh_from_db()
        assert (drill.state, drill.asked) == ("passed", 1), drill.detail
    first, second = sorted(drills, key=lambda drill: drill.answered_at or drill.created_at)
    assert first.answered_at is not None
    assert second.ready_at is not None
    assert second.asked_at is not None
    assert second.ready_at < first.answered_at <= second.asked_at
    parts = [second.queue_seconds, second.start_seconds, second.answer_seconds]
    assert sum(part for part in parts if part is not None) == pytest.approx(second.total_seconds)


@pytest.mark.django_db
def test_newest_answers_are_sought_in_the_deployments_of_the_version(endpoint: Endpoint, predicted: Predicted) -> None:
    old = predicted()
    predicted(number=2, outputs=["of another version"])
    serve(endpoint, version_of(1))
    third = endpoint.deployments.get(number=3)
    new = predicted(deployment_id=third.pk)
    with CaptureQueriesContext(connection) as asked:
        found = golden.golden_requests(endpoint, version_of(1), 5)
    assert [each.prediction_id for each in found] == [new.pk, old.pk]
    queries = [each["sql"] for each in asked if "ORDER BY" in each["sql"] and "LIMIT" in each["sql"]]
    of_record = [sql for sql in queries if 'FROM "predictions_prediction"' in sql]
    assert len(of_record) == 2
    assert all('"predictions_prediction"."deployment_id" = ' in sql for sql in of_record)


@pytest.mark.django_db
def test_what_people_pin_is_always_asked_then_the_newest_answers(
    endpoint: Endpoint, predicted: Predicted, ann: User
) -> None:
    actor = Actor.person(ann)
    oldest, *others = (predicted() for _ in range(5))
    redacted = predicted(inputs=[{**RECORD, "region": {"redacted": "ab"}}])
    predicted(role="shadow")
    pinned = golden.pin(endpoint, oldest.pk, note=" a borderline case ", acting_user=actor)
    assert (pinned.note, pinned.model_version) == ("a borderline case", version_of(1))
    assert golden.pin(endpoint, oldest.pk, acting_user=actor) == pinned
    found = golden.golden_requests(endpoint, version_of(1), 3)
    assert [each.prediction_id for each in found] == [oldest.pk, others[-1].pk, others[-2].pk]
    with pytest.raises(Conflict, match="redacted"):
        golden.pin(endpoint, redacted.pk, acting_user=actor)
    with pytest.raises(Conflict, match="No model answered"):
        golden.pin(endpoint, predicted(status=502, outputs=[]).pk, acting_user=actor)
    with pytest.raises(NotFound):
        golden.pin(endpoint, new_id(), acting_user=actor)
    golden.unpin(pinned, acting_user=actor)
    assert golden.golden_requests(endpoint, version_of(1), 1)[0].prediction_id == others[-1].pk
    assert AuditEvent.objects.filter(action__startswith="golden-request.").count() == 2
    Prediction.objects.all().delete()
    assert golden.golden_requests(endpoint, version_of(1), 3) == []


def test_another_path_may_differ_in_last_digits_and_leave_probabilities_out() -> None:
    answer = Answer(["yes"], [{"no": 0.25, "yes": 0.75}])
    asked = golden.Golden(new_id(), [{}], answer, "original", False)
    near: dict[str, Any] = {"predictions": ["yes"], "classes": ["no", "yes"], "probabilities": [[0.250001, 0.749999]]}
    assert golden.difference(asked, near, "onnx:" + "a" * 64) == ""
    assert "gave another answer" in golden.difference(asked, near, "original")
    assert golden.difference(asked, {"predictions": ["yes"]}, "onnx:" + "a" * 64) == ""
    assert "'yes' and is 'no'" in golden.difference(asked, {"predictions": ["no"]}, "original")
    assert "no answer" in golden.difference(asked, {"predictions": 3}, "original")


@pytest.mark.django_db
def test_an_alert_ends_when_the_way_back_is_proved_again_or_is_another_one(endpoint: Endpoint) -> None:
    def drill_of(number: int) -> Drill:
        made: Drill = Drill.objects.create(
            project_id=endpoint.project_id,
            endpoint=endpoint,
            deployment=endpoint.deployments.get(number=number),
            model_version=version_of(number),
            trigger="person",
            requested_by="ann",
        )
        return made

    def end(number: int, *, passed: bool) -> bool:
        drill_services.end(drill_of(number), passed=passed, detail="It ended.", acting_user=SYSTEM)
        return open_alert(endpoint.pk) is not None

    assert end(1, passed=False)
    assert end(2, passed=True), "version 1 is the way back still, and nobody has shown that it is open"
    assert not end(1, passed=True)
    assert end(1, passed=False)
    serve(endpoint, version_of(2))
    serve(endpoint, version_of(1))
    assert not end(2, passed=True), "version 1 is no way back any more"
    actions = AuditEvent.objects.filter(action__startswith="drill-alert.").order_by("id")
    assert list(actions.values_list("action", flat=True)) == ["drill-alert.raised", "drill-alert.ended"] * 2
