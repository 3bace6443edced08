"""What `/metrics` tells of the stream, of sinks and of who reads inside; what a deliverer counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from models.endpoints.models import Deployment
from models.events import ordering, subscribing
from models.events.models import Sink
from modelwright.core import counting
from modelwright.observability import scraping
from tests.events.conftest import Receiver
from tests.events.test_delivery import at_once, run
from tests.observability.test_scraping import scrape, value

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def token(tmp_path: Path, settings: Any) -> Iterator[str]:
    """The installation's, and nothing counted before the test."""
    settings.METRICS_TOKEN_FILE = str(tmp_path / "metrics-token")
    counting.take()
    yield scraping.token()
    counting.take()


def counted(declared: counting.Declared, **labels: str) -> float:
    taken = counting.take()
    counting.give_back(taken)
    wanted = labels.items()
    return sum(
        amount for own, amount in taken.items() if own.name == declared.name and wanted <= dict(own.labels).items()
    )


def test_a_sink_that_is_behind_fails_or_refuses_is_seen(
    token: str, make_sink: Callable[..., Sink], receiver: Receiver, predict: Callable[..., list[UUID]]
) -> None:
    sink = make_sink(families=["answer"])
    predict(3)
    receiver.answer = lambda events: (503, {})
    run(sink)
    Sink.objects.update(failing_since=sink.created_at - timedelta(minutes=1))
    told = scrape(token)
    head = ordering.head().position
    assert value(told, "modelwright_event_stream_position") == head
    assert value(told, "modelwright_event_sink_position_lag", project="wine", sink="lake") == head - sink.position > 0
    assert value(told, "modelwright_event_sink_failing_seconds", sink="lake") > 0
    assert counted(counting.EVENT_POSTS, outcome="refused") == 1

    receiver.answer = lambda events: (422, {})
    for _ in range(6):
        at_once(sink)
    assert value(scrape(token), "modelwright_event_sink_dead_letters", sink="lake") == sink.letters.count() == 3
    assert counted(counting.EVENTS_DELIVERED) == 0

    predict(2)
    receiver.answer = lambda events: (204, {})
    assert at_once(sink) == 2
    told = scrape(token)
    assert value(told, "modelwright_event_sink_position_lag", sink="lake") == 0
    assert value(told, "modelwright_event_sink_failing_seconds", sink="lake") == 0
    assert counted(counting.EVENTS_DELIVERED) == 2
    posts = [status for _, status in receiver.bodies]
    assert counted(counting.EVENT_POSTS, outcome="taken") == posts.count(204) > 0
    assert counted(counting.EVENT_POSTS) == len(posts)


def test_what_has_no_position_yet_and_who_is_behind_is_seen(
    token: str, predict: Callable[..., list[UUID]], deployment: Deployment
) -> None:
    ordering.tick()
    first = subscribing.read("drift")
    subscribing.commit(first)
    predict(4)
    told = scrape(token)
    assert value(told, "modelwright_event_unordered") == 4
    assert value(told, "modelwright_event_subscriber_lag", subscriber="drift") == 0
    ordering.tick()
    told = scrape(token)
    assert value(told, "modelwright_event_unordered") == 0
    assert value(told, "modelwright_event_subscriber_lag", subscriber="drift") == 4
