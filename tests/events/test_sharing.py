"""The threads that deliver are everybody's: no project takes them all, and a slow sink waits by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from models.events import delivering, ordering, outcomes, services, waiting
from models.events.batches import next_packet
from models.events.models import MOST_EVENTS, Sink
from models.events.posting import Answer
from modelwright.accounts.actors import Actor
from modelwright.core.errors import QuotaExceeded
from tests.events.conftest import Receiver

pytestmark = pytest.mark.django_db
Predict = Callable[..., list[UUID]]
MakeSink = Callable[..., Sink]


def test_a_project_has_at_most_twenty_sinks_and_the_message_says_what_to_do(make_sink: MakeSink) -> None:
    first = make_sink(name="s0")
    for number in range(1, services.MOST_SINKS):
        make_sink(name=f"s{number}")
    with pytest.raises(QuotaExceeded) as refused:
        make_sink(name="one-more")
    assert "Remove one" in refused.value.remedy
    first.delete()
    make_sink(name="one-more")
    # Those beyond, of before there was a limit, stay and are served.
    Sink.objects.create(project=first.project, name="old", url=first.url, families=["answer"], secret="x", position=0)
    assert Sink.objects.count() == services.MOST_SINKS + 1


def test_what_waits_is_asked_with_one_query_for_all_sinks(make_sink: MakeSink, predict: Predict) -> None:
    wanted = make_sink(name="wanted", families=["answer"])
    elsewhere = make_sink(name="elsewhere", families=["answer"], endpoint_ids=[])
    Sink.objects.filter(pk=elsewhere.pk).update(endpoint_ids=[uuid4()])
    for number in range(5):
        make_sink(name=f"s{number}", families=["approval"])
    paused = make_sink(name="paused", families=["answer"])
    services.pause_sink(paused, acting_user=Actor.system("tests"))
    predict(1)
    ordering.tick()
    Sink.objects.exclude(pk=wanted.pk).exclude(pk=paused.pk).update(position=ordering.head().position - 1)
    with CaptureQueriesContext(connection) as asked:
        assert waiting.due() == {wanted.pk: wanted.project_id}
    assert len(asked) == 1


def test_what_is_due_is_what_has_work(make_sink: MakeSink, receiver: Receiver, predict: Predict) -> None:
    predict(3)
    sinks = [
        make_sink(name=f"s-{family}", families=[family]) for family in ("request", "feedback", "deployment", "model")
    ]
    ordering.tick()
    for position in range(ordering.head().position + 1):
        Sink.objects.update(position=position)
        found = waiting.due()
        for sink in sinks:
            sink.refresh_from_db()
            assert (sink.pk in found) is delivering.has_work(sink), (sink.name, position)


class Threads(delivering.Deliverer):
    """Deliveries that last until they are let go, and which there were."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.began: list[UUID] = []
        super().__init__()

    def _deliver(self, sink_id: UUID, project_id: UUID) -> None:
        self.began.append(sink_id)
        self.let_go.wait(60)
        self._busy.discard(project_id)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_one_project_has_one_thread_and_its_sinks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    greedy, modest = uuid4(), uuid4()
    many, one = [uuid4() for _ in range(6)], uuid4()
    now: dict[UUID, UUID] = dict.fromkeys(many, greedy)
    monkeypatch.setattr(delivering, "due", lambda: now)
    threads = Threads()
    assert (threads.tick(), threads.tick()) == (1, 0)
    now[one] = modest
    assert threads.tick() == 1, "the project that comes later finds a thread"
    until(lambda: threads.began == [many[0], one])
    threads.let_go.set()
    for count in range(2, 7):
        until(lambda: greedy not in threads._busy and modest not in threads._busy)
        del now[one]
        assert threads.tick() == 1
        now[one] = modest
        until(lambda count=count: len(threads.began) == count + 1)  # type: ignore[misc]
    assert [each for each in threads.began if each != one] == many, "each in its turn, whatever it answers"


def test_a_sink_that_is_slow_waits_also_when_it_takes_everything(
    make_sink: MakeSink, receiver: Receiver, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "SLOW_SECONDS", 0.05)
    monkeypatch.setattr(outcomes, "SLOW_WAITS", 100.0)
    sink = make_sink(families=["answer"])
    predict(MOST_EVENTS + 1)
    ordering.tick()

    def slowly(events: list[dict[str, Any]]) -> tuple[int, dict[str, str]]:
        time.sleep(0.1)
        return 200, {}

    receiver.answer = slowly
    assert delivering.deliver(sink.pk) == MOST_EVENTS
    sink.refresh_from_db()
    assert (sink.failures, sink.last_error) == (0, "")
    assert sink.next_attempt_at is not None
    assert sink.next_attempt_at - timezone.now() > timedelta(seconds=5)
    assert not waiting.due()
    Sink.objects.update(next_attempt_at=None)
    # Quick is what is quicker than that, also on a machine that takes a while for everything.
    monkeypatch.setattr(outcomes, "SLOW_SECONDS", 60.0)
    receiver.answer = lambda events: (200, {})
    assert delivering.deliver(sink.pk) == 1
    assert Sink.objects.get().next_attempt_at is None


@pytest.mark.parametrize("status", [200, 400, 500])
def test_ten_seconds_cost_half_a_minute_whatever_the_answer(status: int, make_sink: MakeSink, predict: Predict) -> None:
    sink = make_sink(families=["answer"])
    predict(1)
    ordering.tick()
    outcomes.settle_packet(sink, next_packet(sink), Answer(status, "", seconds=9.9))
    wait = Sink.objects.get().next_attempt_at
    assert wait is not None
    assert wait - timezone.now() > timedelta(seconds=25)
