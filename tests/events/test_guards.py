"""What each guard of the delivery keeps from happening, where no other one would."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from models.events import delivering, ordering, outcomes, services, transitions
from models.events.batches import next_packet
from models.events.delivering import deliver
from models.events.models import Arrival, DeadLetter, Sink
from models.events.posting import Answer
from models.events.retention import tick as forget
from models.events.states import LETTER
from modelwright.accounts.actors import Actor
from modelwright.core.errors import Conflict
from tests.events.conftest import Receiver

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")
Predict = Callable[..., list[UUID]]
MakeSink = Callable[..., Sink]


def test_a_letter_that_is_settled_stays_settled(make_sink: MakeSink, receiver: Receiver, predict: Predict) -> None:
    assert LETTER.terminal == {"delivered", "discarded"}
    sink = make_sink(families=["answer"])
    predict(1)
    receiver.answer = lambda events: (400, {})
    ordering.tick()
    deliver(sink.pk)
    services.discard(sink, reason="it is malformed", acting_user=SYSTEM)
    with pytest.raises(Conflict):
        services.send_again(sink, acting_user=SYSTEM)
    assert not transitions.deliver(DeadLetter.objects.all())
    assert DeadLetter.objects.get().state == "discarded"


def test_a_paused_sink_is_posted_nothing_whoever_asks_for_it(
    make_sink: MakeSink, receiver: Receiver, predict: Predict
) -> None:
    sink = make_sink(families=["answer"])
    predict(2)
    ordering.tick()
    services.pause_sink(sink, reason="maintenance", acting_user=SYSTEM)
    fence = Sink.objects.get().fence
    assert (deliver(sink.pk), receiver.bodies, Sink.objects.get().fence) == (0, [], fence)
    services.resume_sink(sink, acting_user=SYSTEM)
    assert deliver(sink.pk) == 2


def test_one_that_is_paused_between_two_posts_gets_no_second_one(
    make_sink: MakeSink, receiver: Receiver, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make_sink(families=["answer"], mode="single")
    predict(3)
    ordering.tick()

    def then_somebody_pauses(*facts: Any) -> int:
        taken = outcomes.settle_packet(*facts)
        services.pause_sink(sink, acting_user=SYSTEM)
        return taken

    monkeypatch.setattr(delivering, "settle_packet", then_somebody_pauses)
    assert deliver(sink.pk) == 1
    assert len(receiver.bodies) == 1


def test_who_delivers_what_the_stream_has_forgotten_meanwhile_has_lost_the_sink(
    make_sink: MakeSink, predict: Predict, settings: Any
) -> None:
    sink = make_sink(families=["answer"])
    predict(2)
    ordering.tick()
    held = Sink.objects.get()
    packet = next_packet(held)
    Arrival.objects.update(at=timezone.now() - timedelta(days=8))
    predict(1)
    ordering.tick()
    settings.EVENT_RETENTION_DAYS = 7
    assert forget() > 0
    moved = Sink.objects.get()
    assert outcomes.settle_packet(held, packet, Answer(200, "")) == 0
    sink.refresh_from_db()
    assert (sink.position, sink.delivered) == (moved.position, 0), "a cursor never goes back"
