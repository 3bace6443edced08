"""Requests on record asked of a candidate by real workloads, and what becomes of what they leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from models.approvals.models import Check
from models.endpoints.models import Endpoint, EndpointKey
from models.predictions.models import Feedback, Prediction
from models.registry.models import ModelVersion
from models.replays import collecting, services
from models.replays.gathering import gather, shaped
from models.replays.models import Replay, ReplayChange
from models.replays.policies import set_replay_policy
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.backends.keeper.codec import LARGEST_MESSAGE
from modelwright.compute.models import Host, Workload
from modelwright.core.errors import Conflict, NotFound, PermissionRefused, ValidationFailed
from tests.gateway.processes import RECORD
from tests.models_support import wait_for, watch
from tests.replays.conftest import Predicted, version_of

OTHER = {**RECORD, "alcohol": 12.2, "proline": 400, "region": "south"}
SYSTEM = Actor.system("tests")


def said_true(prediction: Prediction, truth: Any, record: int = 0) -> None:
    """Put truth on record."""
    Feedback.objects.create(
        endpoint_id=prediction.endpoint_id,
        project_id=prediction.project_id,
        prediction_id=prediction.pk,
        record=record,
        truth=truth,
        known_at=timezone.now(),
        source=Feedback.Source.PERSON,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_a_candidate_is_asked_judged_and_its_check_put_on_record(
    api: Callable[[User], Any],
    browser_client: Callable[[User], Client],
    ann: User,
    endpoint: Endpoint,
    host: Host,
    backend: LocalBackend,
    predicted: Predicted,
) -> None:
    for _ in range(32):
        prediction = predicted(inputs=[RECORD, {**RECORD, "malic_acid": None}])
        said_true(prediction, "one:0")
    # Recorded otherwise than the candidate will answer, all of them in the south.
    changed = [predicted(inputs=[OTHER], outputs=["one:0"]) for _ in range(8)]
    said_true(changed[0], "one:1")
    candidate = version_of(2)
    body = {"model_version": str(candidate.pk), "requests": 100}
    answer = api(ann).post(f"/api/v1/endpoints/{endpoint.pk}/replays/", body, content_type="application/json")
    assert answer.status_code == 201, answer.json()
    assert answer.json()["selection"]["requests"] == 40
    replay = Replay.objects.get()
    assert replay.base == version_of(1)

    def over() -> bool:
        watch(host, backend)
        collecting.tick()
        replay.refresh_from_db()
        return not replay.is_under_way

    wait_for(over)
    report = replay.report
    assert (replay.state, report["rows"], report["answered"]) == ("failed", 72, 72), replay.detail
    assert report["flips"]["rows"] == 8
    (first, *_) = report["segments"]
    assert {each["segment"] for each in report["segments"] if each["flips"] == 8 and each["stands_out"]} >= {"south"}
    assert first["stands_out"]
    assert (report["truth"]["rows"], report["truth"]["better"], report["truth"]["worse"]) == (33, 1, 0)
    assert report["latency"]["base"]["requests"] == report["latency"]["candidate"]["requests"] == 40
    assert report["latency"]["factor"] > 0
    assert any("11.1 % of the records (8) are answered otherwise" in reason for reason in replay.reasons)
    check = Check.objects.get(version=candidate, kind="replay")
    assert (check.outcome, check.evidence["replay"]) == ("failed", str(replay.pk))
    assert check.evidence["stage"] == "lab"
    assert all(each.spec["files"] == {} for each in Workload.objects.filter(kind="replay"))
    assert AuditEvent.objects.filter(action__in=("replay.started", "replay.ended")).count() == 2

    listed = api(ann).get(f"/api/v1/replays/{replay.pk}/changes/?column=region&segment=south").json()["results"]
    assert len(listed) == 8
    assert {each["after"] for each in listed} == {"one:1"}
    assert listed[0]["score_after"] > 0.5
    assert sorted(each["verdict"] for each in listed) == [""] * 7 + ["better"]
    page = browser_client(ann)
    shown = page.get(f"/replays/{replay.pk}/").content.decode()
    assert "stands out" in shown
    assert "40 requests with 72 records, answered before: 40 by wine version 1." in shown
    assert page.get(f"/replays/{replay.pk}/state/").headers["HX-Refresh"] == "true"
    of_segment = page.get(f"/replays/{replay.pk}/changes/?column=region&segment=south&what=flip").content.decode()
    assert "new answer is true" in of_segment
    # Retention of the predictions is retention of what is told of them.
    Prediction.objects.filter(pk=changed[0].pk).delete()
    assert collecting.forget_changes() == 1
    assert ReplayChange.objects.count() == 7


@pytest.mark.django_db
def test_only_requests_that_somebody_waited_for_and_that_are_whole_are_taken(
    endpoint: Endpoint, predicted: Predicted
) -> None:
    plain = [predicted(), predicted(inputs=[RECORD, RECORD]), predicted(role="canary")]
    for changes in (
        {"role": "shadow", "shadow_of": plain[0].pk},
        {"fallback": "the model failed"},
        {"protocol": "batch"},
        {"status": 502, "outputs": []},
        {"nodes": [{"node": "a"}]},
        {"number": 2},
        {"key_id": EndpointKey.objects.get(endpoint=endpoint, is_internal=True).pk},
    ):
        predicted(**changes)
    hidden = predicted(inputs=[{**RECORD, "region": {"redacted": "ab"}}])
    torn = predicted(outputs=[])
    refused = predicted(inputs=[{**RECORD, "vintage": 1990}])
    found = gather(endpoint, version_of(2), 50)
    assert [each.prediction_id for each in found.requests] == [refused.pk, *(each.pk for each in reversed(plain))]
    assert (found.rows, dict(found.left_out), found.redacted) == (5, {"redacted": 1, "not whole": 1}, {"region"})
    assert "a column that the model does not have" in found.requests[0].refused
    assert {hidden.pk, torn.pk}.isdisjoint(each.prediction_id for each in found.requests)
    assert [each.prediction_id for each in gather(endpoint, version_of(2), 1).requests] == [refused.pk]


@pytest.mark.django_db
def test_what_is_taken_fits_into_one_message_to_a_host_with_containers(
    endpoint: Endpoint, predicted: Predicted
) -> None:
    for _ in range(3):
        predicted(inputs=[{**RECORD, "region": '"' * 1_400_000}])
    found = gather(endpoint, version_of(2), 50)
    content = json.dumps(shaped([each.frame for each in found.requests if each.frame is not None]))
    assert (len(found.requests), found.limit) == (2, "12 MiB of input")
    assert 10_000_000 < len(json.dumps(content)) < LARGEST_MESSAGE


@pytest.mark.django_db
def test_what_cannot_be_replayed_says_why(ann: User, endpoint: Endpoint, predicted: Predicted, stranger: User) -> None:
    candidate, actor = version_of(2), Actor.person(ann)
    with pytest.raises(Conflict, match="no request on record that another version"):
        services.start_replay(endpoint, candidate, acting_user=actor)
    predicted(inputs=[{**RECORD, "region": {"redacted": "ab"}}])
    with pytest.raises(Conflict, match="the values of region are redacted in every request") as caught:
        services.start_replay(endpoint, candidate, acting_user=actor)
    assert "approved with a reason" in caught.value.remedy
    predicted(inputs=[{**RECORD, "vintage": 1990}])
    with pytest.raises(Conflict, match="would refuse every one of the 1 newest requests"):
        services.start_replay(endpoint, candidate, acting_user=actor)
    predicted()
    with pytest.raises(ValidationFailed):
        services.start_replay(endpoint, candidate, requests=0, acting_user=actor)
    with pytest.raises(ValidationFailed, match="policy asks for 100 of the newest"):
        services.start_replay(endpoint, candidate, requests=99, acting_user=actor)
    with pytest.raises(NotFound):
        services.start_replay(endpoint, candidate, acting_user=Actor.person(stranger))
    services.start_replay(endpoint, candidate, acting_user=actor)
    with pytest.raises(Conflict, match="under way already"):
        services.start_replay(endpoint, candidate, acting_user=actor)
    ModelVersion.objects.filter(number=2).update(state="failed")
    with pytest.raises(Conflict, match="failed, or has no environment"):
        services.start_replay(endpoint, version_of(2), acting_user=actor)


@pytest.mark.django_db
def test_thresholds_are_set_by_administrators_and_kept_with_each_replay(
    ann: User, endpoint: Endpoint, predicted: Predicted, make_user: Any
) -> None:
    policy = set_replay_policy(endpoint, {"max_flip_rate": 0.5, "min_rows": 1}, acting_user=Actor.person(ann))
    assert (policy.max_flip_rate, policy.max_error_rate) == (0.5, 0.0)
    with pytest.raises(ValidationFailed, match="max_flip_rate"):
        set_replay_policy(endpoint, {"max_flip_rate": 2.0}, acting_user=Actor.person(ann))
    with pytest.raises((PermissionRefused, NotFound)):
        set_replay_policy(endpoint, {"max_flip_rate": 1.0}, acting_user=Actor.person(make_user("eve")))
    event = AuditEvent.objects.get(action="replay-policy.set")
    assert (event.before, event.after) == (
        {"max_flip_rate": 0.05, "min_rows": 30},
        {"max_flip_rate": 0.5, "min_rows": 1},
    )
    predicted()
    replay = services.start_replay(endpoint, version_of(2), acting_user=Actor.person(ann))
    set_replay_policy(endpoint, {"max_flip_rate": 0.1}, acting_user=Actor.person(ann))
    replay.refresh_from_db()
    assert (replay.thresholds["max_flip_rate"], replay.thresholds["min_rows"]) == (0.5, 1)


def answers(*outputs: Any) -> dict[str, Any]:
    """What a workload leaves that gave these answers."""
    return {"answers": [{"ms": 2.0, "predictions": [output]} for output in outputs]}


@pytest.mark.django_db
def test_whatever_a_workload_left_its_replay_ends(
    ann: User, endpoint: Endpoint, predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted()
    set_replay_policy(endpoint, {"min_rows": 1}, acting_user=SYSTEM)
    left: dict[UUID, Any] = {}
    monkeypatch.setattr(collecting, "read_result", lambda workload, _: left[workload.pk])

    def ended(mine: Any, of_base: Any, state: str = "succeeded") -> Replay:
        replay = services.start_replay(endpoint, version_of(2), acting_user=SYSTEM)
        assert replay.base_workload_id is not None
        left.update({replay.workload_id: mine, replay.base_workload_id: of_base})
        now = timezone.now()
        both = Workload.objects.filter(pk__in=left, collected_at=None)
        both.filter(pk=replay.workload_id).update(state=state, finished_at=now, handed_in_at=now)
        collecting.tick()
        if state == "succeeded":
            assert Replay.objects.get(pk=replay.pk).is_under_way, "the base is waited for"
        both.filter(pk=replay.base_workload_id).update(state="failed", finished_at=now, handed_in_at=now)
        collecting.tick()
        return Replay.objects.get(pk=replay.pk)

    same = ended(answers("one:0"), answers("one:0"))
    assert (same.state, same.report["latency"]["factor"]) == ("passed", 1.0)
    alone = ended(answers("one:0"), {"error": "no memory"})
    assert (alone.state, alone.report["latency"]["factor"]) == ("passed", None)
    assert "could not be timed beside it" in alone.report["latency"]["note"]
    raised = ended({"answers": [{"ms": 1.0, "error": "ValueError: no \0 such shade"}]}, {})
    assert (raised.state, raised.report["errors"]["rows"]) == ("failed", 1)
    assert ReplayChange.objects.get(replay=raised).error == "ValueError: no \ufffd such shade"
    wrong: dict[str, Any]
    for wrong in (
        {"answers": []},
        {"answers": [7]},
        {"answers": [{"ms": 1.0, "predictions": ["a", "b"]}]},
        {"answers": [{"ms": 1.0, "predictions": ["a"], "probabilities": [[1]], "classes": []}]},
    ):
        broken = ended(wrong, answers("one:0"))
        assert (broken.state, broken.report) == ("broken", {})
    unloadable = ended({"error": "The model cannot be loaded"}, {}, state="failed")
    assert (unloadable.state, "cannot be loaded" in unloadable.detail) == ("broken", True)
    Prediction.objects.all().delete()
    kinds = Check.objects.filter(version=version_of(2), kind="replay").values_list("outcome", flat=True)
    assert sorted(kinds) == ["failed", "passed", "passed"], "what came to no result is no check"


@pytest.mark.django_db
def test_a_person_cancels_a_replay_and_it_is_no_check(
    ann: User,
    endpoint: Endpoint,
    predicted: Predicted,
    stranger: User,
    api: Any,
    browser_client: Callable[[User], Client],
) -> None:
    predicted()
    replay = services.start_replay(endpoint, version_of(2), acting_user=Actor.person(ann))
    url = f"/api/v1/replays/{replay.pk}/cancellation/"
    assert api(stranger).post(url, {}, content_type="application/json").status_code == 404
    page = browser_client(ann)
    assert "Cancel" in page.get(f"/replays/{replay.pk}/").content.decode()
    done = api(ann).post(url, {"reason": "the wrong version"}, content_type="application/json")
    assert (done.status_code, done.json()["state"]) == (200, "cancelled")
    assert done.json()["detail"] == "Cancelled by ann. the wrong version"
    replay.refresh_from_db()
    assert {each.state for each in Workload.objects.filter(kind="replay")} == {"cancelled"}
    assert not Check.objects.exists()
    assert api(ann).post(url, {}, content_type="application/json").status_code == 409
    event = AuditEvent.objects.filter(action="replay.ended").get()
    assert (event.actor_name, event.reason) == ("ann", "the wrong version")
    for workload in Workload.objects.filter(kind="replay"):
        Workload.objects.filter(pk=workload.pk).update(handed_in_at=timezone.now())
    collecting.tick()
    replay.refresh_from_db()
    assert (replay.state, Check.objects.count()) == ("cancelled", 0), "what its workloads left changes nothing"
    again = services.start_replay(endpoint, version_of(2), acting_user=Actor.person(ann))
    assert page.post(f"/replays/{again.pk}/cancel/").status_code == 302
    again.refresh_from_db()
    assert again.state == "cancelled"
