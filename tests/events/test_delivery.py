"""Delivery: at least once, in order per key, whatever the sink answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from models.endpoints.models import Deployment
from models.events import delivering, ordering, outcomes, services, transitions
from models.events.batches import next_packet
from models.events.delivering import deliver
from models.events.models import Arrival, DeadLetter, Sink, Subscriber
from models.events.posting import Answer
from models.events.retention import tick as forget
from models.events.waiting import due
from models.predictions.models import Feedback, Prediction
from models.predictions.storing import store
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.audit.services import Target, record
from modelwright.core.errors import Conflict
from tests.events.conftest import Receiver, record_of

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")
Predict = Callable[..., list[UUID]]
MakeSink = Callable[..., Sink]


def run(sink: Sink) -> int:
    """Whatever is due now, until nothing is."""
    ordering.tick()
    taken = 0
    while sink.pk in due():
        taken += deliver(sink.pk)
    sink.refresh_from_db()
    return taken


def at_once(sink: Sink) -> int:
    """The same, as if the time to wait were over."""
    Sink.objects.filter(pk=sink.pk).update(next_attempt_at=None)
    return run(sink)


def answers(ids: list[UUID]) -> list[str]:
    return [f"{id_.hex}.answer" for id_ in ids]


def test_events_arrive_in_batches_in_the_order_of_the_stream(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["request", "answer"])
    ids = [*predict(60), *predict(70)]
    assert run(sink) == 260
    assert receiver.taken == [f"{id_.hex}.{part}" for id_ in ids for part in ("request", "answer")]
    assert [len(events) for events, _ in receiver.bodies] == [100, 100, 60]
    assert (sink.delivered, sink.position, sink.failures) == (260, ordering.head().position, 0)
    assert run(sink) == 0


def test_a_batch_may_end_between_request_and_answer(make_sink: MakeSink, receiver: Receiver, predict: Predict) -> None:
    sink = make_sink(mode="single", families=["request", "answer"])
    first, second = predict(2)
    assert run(sink) == 4
    assert receiver.taken == [f"{id_.hex}.{part}" for id_ in (first, second) for part in ("request", "answer")]
    assert receiver.headers[0]["content-type"].startswith("application/cloudevents+json")


def test_a_sink_that_fails_is_asked_again_later_and_gets_everything(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["answer"])
    ids = predict(5)
    receiver.answer = lambda events: (503, {"Retry-After": "120"})
    assert run(sink) == 0
    assert len(receiver.bodies) == 1
    assert "503" in sink.last_error
    assert sink.failing_since is not None
    assert sink.next_attempt_at is not None
    assert timedelta(seconds=100) < sink.next_attempt_at - timezone.now() <= timedelta(seconds=120)
    ids += predict(3)
    for _ in range(6):
        assert at_once(sink) == 0
    assert sink.batch_limit == 1
    receiver.answer = lambda events: (200, {})
    assert at_once(sink) == 8
    assert receiver.taken == answers(ids)
    sink = Sink.objects.get()
    assert (sink.failures, sink.last_error, sink.next_attempt_at) == (0, "", None)
    assert DeadLetter.objects.count() == 0


def test_a_retry_is_the_same_message_and_is_signed(make_sink: MakeSink, receiver: Receiver, predict: Predict) -> None:
    sink = make_sink(families=["answer"])
    predict(2)
    receiver.answer = lambda events: (500, {})
    run(sink)
    receiver.answer = lambda events: (200, {})
    at_once(sink)
    assert receiver.raw[0] == receiver.raw[1]
    assert receiver.headers[0]["webhook-id"] == receiver.headers[1]["webhook-id"]


def test_one_event_that_is_refused_is_put_aside_and_only_its_key_waits(
    make_sink: MakeSink, receiver: Receiver, predict: Predict, deployment: Deployment
) -> None:
    sink = make_sink(families=["request", "answer", "feedback"])
    ids = predict(20)
    bad = ids[7]
    receiver.answer = lambda events: (400 if any(e["id"] == f"{bad.hex}.request" for e in events) else 200, {})
    assert run(sink) == 38
    dead, held = DeadLetter.objects.order_by("part")
    assert (dead.event_id, dead.state) == (f"{bad.hex}.request", "dead")
    assert "400" in dead.reason
    assert (held.event_id, held.state) == (f"{bad.hex}.answer", "held")
    assert receiver.taken == [f"{id_.hex}.{part}" for id_ in ids if id_ != bad for part in ("request", "answer")]
    feedback = [
        Feedback.objects.create(
            endpoint_id=deployment.endpoint_id,
            project_id=sink.project_id,
            prediction_id=id_,
            truth=1,
            known_at=timezone.now(),
            source="key",
        )
        for id_ in (bad, ids[0])
    ]
    assert run(sink) == 1
    assert receiver.taken[-1] == feedback[1].pk.hex
    # Sent again in vain: those behind it stay behind.
    services.send_again(sink, acting_user=SYSTEM)
    assert run(sink) == 0
    assert [letter.state for letter in DeadLetter.objects.order_by("position", "part")] == ["dead", "held", "held"]
    receiver.answer = lambda events: (200, {})
    assert services.send_again(sink, [dead.pk], acting_user=SYSTEM) == 3
    assert run(sink) == 3
    assert receiver.taken[-3:] == [f"{bad.hex}.request", f"{bad.hex}.answer", feedback[0].pk.hex]
    assert set(DeadLetter.objects.values_list("state", flat=True)) == {"delivered"}
    with pytest.raises(Conflict):
        services.send_again(sink, acting_user=SYSTEM)


def test_what_waits_behind_a_discarded_event_is_sent(make_sink: MakeSink, receiver: Receiver, predict: Predict) -> None:
    sink = make_sink(families=["request", "answer"])
    (bad,) = predict(1)
    receiver.answer = lambda events: (422 if events[0]["id"].endswith("request") else 200, {})
    run(sink)
    dead = DeadLetter.objects.get(state="dead")
    assert services.discard(sink, [dead.pk], reason="it is malformed", acting_user=SYSTEM) == 1
    assert run(sink) == 1
    assert receiver.taken == [f"{bad.hex}.answer"]
    assert AuditEvent.objects.get(action="dead-letters.discarded").reason == "it is malformed"


def test_a_letter_whose_prediction_is_deleted_is_given_up(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["request", "answer"])
    (bad,) = predict(1)
    receiver.answer = lambda events: (400, {})
    run(sink)
    Prediction.objects.filter(pk=bad).delete()
    services.send_again(sink, acting_user=SYSTEM)
    run(sink)
    assert set(DeadLetter.objects.values_list("state", "settled_by")) == {("discarded", "retention")}


def test_what_is_deleted_before_it_was_sent_is_passed_over(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["answer"])
    first, second = predict(2)
    Prediction.objects.filter(pk=first).delete()
    assert run(sink) == 1
    assert receiver.taken == answers([second])


def test_a_server_error_that_one_event_alone_meets_costs_that_event_and_no_second_one(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["answer"])
    ids = predict(4)
    bad = {f"{ids[1].hex}.answer", f"{ids[2].hex}.answer"}
    receiver.answer = lambda events: (500 if bad & {event["id"] for event in events} else 200, {})
    for _ in range(6):
        run(sink)
        at_once(sink)
    assert receiver.taken == answers(ids[:1])
    assert DeadLetter.objects.count() == 0
    Sink.objects.update(failing_since=timezone.now() - outcomes.GIVE_UP_AFTER)
    at_once(sink)
    assert [letter.event_id for letter in DeadLetter.objects.all()] == answers(ids[1:2])
    Sink.objects.update(failing_since=timezone.now() - outcomes.GIVE_UP_AFTER)
    at_once(sink)
    assert DeadLetter.objects.count() == 1
    assert sink.gave_up_one
    bad.clear()
    assert at_once(sink) == 2
    assert not sink.gave_up_one


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429])
def test_trouble_that_is_the_sinks_costs_no_event(status: int, make_sink: MakeSink) -> None:
    sink = make_sink()
    assert outcomes.verdict(sink, 1, Answer(status, "")) is outcomes.Verdict.LATER


def test_a_sink_that_fails_for_a_day_or_is_gone_is_paused_and_says_so(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["answer"])
    ids = predict(1)
    receiver.answer = lambda events: (503, {})
    run(sink)
    Sink.objects.update(failing_since=timezone.now() - outcomes.PAUSE_AFTER)
    at_once(sink)
    assert sink.state == "paused"
    assert "failed for a day" in sink.detail
    assert AuditEvent.objects.get(action="event-sink.paused").actor_name == "delivery of events"
    at_once(sink)
    assert len(receiver.bodies) == 2
    services.resume_sink(sink, acting_user=SYSTEM)
    receiver.answer = lambda events: (410, {})
    run(sink)
    assert (sink.state, "gone" in sink.detail) == ("paused", True)
    receiver.answer = lambda events: (200, {})
    services.resume_sink(sink, acting_user=SYSTEM)
    run(sink)
    assert receiver.taken == answers(ids)


def test_who_lost_the_sink_changes_nothing(make_sink: MakeSink, receiver: Receiver, predict: Predict) -> None:
    """A deliverer that was stopped for longer than its lease finds that another has gone on."""
    sink = make_sink(families=["answer"])
    ids, before = predict(3), sink.position
    ordering.tick()
    packet = next_packet(sink)
    Sink.objects.update(fence=1000)
    assert outcomes.settle_packet(sink, packet, Answer(200, "")) == 0
    sink.refresh_from_db()
    assert (sink.position, sink.delivered) == (before, 0)
    assert run(sink) == 3
    assert receiver.taken == answers(ids)


def test_two_never_hold_a_sink_at_once(make_sink: MakeSink, receiver: Receiver, predict: Predict) -> None:
    sink = make_sink(families=["answer"])
    predict(1)
    ordering.tick()
    Sink.objects.update(leased_until=timezone.now() + timedelta(seconds=30))
    assert not due()
    assert deliver(sink.pk) == 0
    Sink.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert deliver(sink.pk) == 1


def test_who_was_stopped_as_it_took_a_sink_does_not_go_on_in_the_name_of_the_next(make_sink: MakeSink) -> None:
    sink = make_sink(families=["answer"])

    def stopped(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """For longer than its lease, in which the next one took it."""
        done = execute(sql, *rest)
        if not over and "UPDATE" in sql:
            over.append(sql)
            Sink.objects.filter(pk=sink.pk).update(fence=F("fence") + 1)
        return done

    over: list[str] = []
    with connection.execute_wrapper(stopped):
        held = delivering._hold(sink.pk)
    assert over
    assert held is not None
    assert delivering._look(held) is None


def test_a_sink_gets_what_it_asks_for(make_sink: MakeSink, receiver: Receiver, deployment: Deployment) -> None:
    sink = make_sink(families=["deployment"], endpoint_ids=[deployment.endpoint_id])
    store([record_of(deployment)])
    run(sink)
    sent = [event for events, _ in receiver.bodies for event in events]
    assert [event["type"] for event in sent] == [
        "io.modelwright.endpoint.created",
        "io.modelwright.deployment.created",
    ]
    assert {event["subject"] for event in sent} == {str(deployment.endpoint_id)}
    assert sent[1]["data"]["target"]["name"] == "acme/wine #1"


def test_outcomes_of_runs_and_new_commits_are_events_for_who_asks(
    make_sink: MakeSink, receiver: Receiver, deployment: Deployment
) -> None:
    project = deployment.endpoint.project
    sink = make_sink(families=["run", "source"])
    before = len(receiver.bodies)
    for action, after in (
        (AuditAction.RUN_ENDED, {"state": "failed", "exit_code": 1}),
        (AuditAction.PROJECT_PUSHED, {"refs/heads/main": "a" * 40}),
        (AuditAction.VARIABLE_SET, {"is_secret": True}),
    ):
        record(
            acting_user=SYSTEM,
            action=action,
            target=Target("project", project.pk, project.name),
            after=after,
            workspace_id=project.workspace_id,
            project_id=project.pk,
        )
    run(sink)
    sent = [event for events, _ in receiver.bodies[before:] for event in events]
    told = {event["type"]: event["data"]["after"] for event in sent}
    assert told["io.modelwright.run.ended"] == {"state": "failed", "exit_code": 1}
    assert told["io.modelwright.project.pushed"] == {"refs/heads/main": "a" * 40}
    assert "io.modelwright.variable.set" not in told


def test_a_new_sink_begins_with_what_comes_unless_told_otherwise(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    predict(1)
    ordering.tick()
    sink = make_sink(families=["answer"], start="newest")
    (new,) = predict(1)
    run(sink)
    assert receiver.taken == answers([new])


def test_what_the_stream_forgets_is_counted_as_missed(
    make_sink: MakeSink, receiver: Receiver, predict: Predict, settings: Any
) -> None:
    sink = make_sink(families=["answer"])
    predict(3)
    ordering.tick()
    end = ordering.head().position
    Arrival.objects.update(at=timezone.now() - timedelta(days=8))
    (new,) = predict(1)
    ordering.tick()
    settings.EVENT_RETENTION_DAYS = 7
    slow = Subscriber.objects.create(name="slow", position=0)
    assert forget() == 0
    slow.delete()
    assert forget() > 0
    sink.refresh_from_db()
    assert (sink.missed, sink.position, ordering.head().kept_from) == (3, end, end + 1)
    run(sink)
    assert receiver.taken == answers([new])


def test_waits_grow_and_differ(make_sink: MakeSink) -> None:
    waits = [[outcomes.wait_seconds(n, Answer(500, "")) for _ in range(20)] for n in (0, 3, 30)]
    assert all(0.5 <= wait <= 1 for wait in waits[0])
    assert all(4 <= wait <= 8 for wait in waits[1])
    assert all(150 <= wait <= 300 for wait in waits[2])
    assert len(set(waits[2])) > 10
    assert outcomes.wait_seconds(0, Answer(429, "", 60.0)) == 60.0
    sink = make_sink()
    assert transitions.pause(sink, detail="x")
    assert not transitions.pause(sink, detail="x")


def test_what_waits_behind_a_letter_that_is_discarded_while_it_is_found_to_wait_is_sent(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(mode="single", families=["request", "answer"])
    (bad,) = predict(1)
    receiver.answer = lambda events: (422 if events[0]["id"].endswith("request") else 200, {})
    ordering.tick()
    Sink.objects.update(fence=5)
    sink.refresh_from_db()
    assert outcomes.settle_packet(sink, next_packet(sink), Answer(422, "It answered 422.")) == 0
    sink.refresh_from_db()
    packet = next_packet(sink)
    assert [event.id for event, _ in packet.held] == answers([bad])
    services.discard(sink, [DeadLetter.objects.get(state="dead").pk], reason="malformed", acting_user=SYSTEM)
    outcomes.settle_packet(sink, packet, None)
    assert DeadLetter.objects.get(event_id=answers([bad])[0]).state == "due"
    assert run(sink) == 1
    assert receiver.taken == answers([bad])


def test_a_sink_that_refuses_everything_is_paused_and_says_so(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["answer"])
    ids = predict(outcomes.MOST_REFUSED + 15)
    receiver.answer = lambda events: (400, {})
    run(sink)
    assert (sink.state, DeadLetter.objects.count()) == ("paused", outcomes.MOST_REFUSED)
    assert sink.detail.startswith("It has refused 20 events in a row and taken none.")
    assert "400" in AuditEvent.objects.get(action="event-sink.paused").reason
    services.resume_sink(sink, acting_user=SYSTEM)
    bad = set(answers(ids[20:30]))
    receiver.answer = lambda events: (400 if bad & {event["id"] for event in events} else 200, {})
    assert run(sink) == 5
    assert (sink.state, sink.refused, DeadLetter.objects.count()) == ("active", 0, outcomes.MOST_REFUSED + 10)
    assert receiver.taken == answers(ids[30:])


def test_letters_that_are_sent_again_are_not_given_up_one_after_another_either(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["answer"])
    predict(3)
    receiver.answer = lambda events: (400, {})
    run(sink)
    services.send_again(sink, acting_user=SYSTEM)
    receiver.answer = lambda events: (500, {})
    for _ in range(3):
        at_once(sink)
        Sink.objects.update(failing_since=timezone.now() - outcomes.GIVE_UP_AFTER)
    at_once(sink)
    assert sorted(DeadLetter.objects.values_list("state", flat=True)) == ["dead", "due", "due"]
    assert sink.gave_up_one
    began = sink.failing_since
    assert began is not None
    Sink.objects.update(failing_since=timezone.now() - outcomes.PAUSE_AFTER)
    at_once(sink)
    assert sink.state == "paused"


def test_of_open_letters_only_those_of_the_packets_keys_are_read(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["request", "answer"])
    predict(5)
    receiver.answer = lambda events: (400, {})
    run(sink)
    (new,) = predict(1)
    ordering.tick()
    sink.batch_limit = 100
    with CaptureQueriesContext(connection) as asked:
        packet = next_packet(sink)
    assert [event.id for event in packet.events] == [f"{new.hex}.request", f"{new.hex}.answer"]
    (query,) = [each["sql"] for each in asked if "events_deadletter" in each["sql"]]
    assert f"{new.hex}" in query.replace("-", "")
