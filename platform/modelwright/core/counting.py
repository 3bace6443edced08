"""Counters of a process of the platform, until they are added up in the database.

A process keeps only what has happened since it last told; what it tells is added to sums that all processes of all
hosts share. So sums never fall, whoever ends or starts, and nobody has to be asked. What a process had not told when it
was killed, `FLUSH_SECONDS` at most, is missing from them.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from django.conf import settings
from django.db import close_old_connections, connections
from django.utils.module_loading import import_string

from modelwright.core.exposition import SECONDS, Labels, number

FLUSH_SECONDS = 10.0
LAST_SECONDS = 3.0


class Declared(NamedTuple):
    """What is counted: its name on `/metrics`, its kind, what it means, and by what it is told apart."""

    name: str
    kind: Literal["counter", "histogram"]
    help: str
    labels: tuple[str, ...]


class Series(NamedTuple):
    """One number: of a histogram, `part` is the upper bound of a bucket or `sum`, of a counter it is empty."""

    name: str
    labels: Labels
    part: str = ""


WEB_REQUESTS = Declared(
    "modelwright_web_requests_total", "counter", "Requests to pages and REST.", ("route", "method", "status")
)
WEB_SECONDS = Declared(
    "modelwright_web_request_seconds", "histogram", "From a request to the first byte of its answer.", ("route",)
)
TASKS = Declared("modelwright_worker_tasks_total", "counter", "Tasks that workers ended.", ("task", "outcome"))
TASK_SECONDS = Declared("modelwright_worker_task_seconds", "histogram", "How long tasks take.", ("task",))
TURNS = Declared("modelwright_loop_turns_total", "counter", "Turns of the watcher's loops.", ("loop", "outcome"))
TURN_SECONDS = Declared("modelwright_loop_turn_seconds", "histogram", "How long a turn takes.", ("loop",))
SHIPPED = Declared("modelwright_shipper_records_total", "counter", "Records that went from spools to the database.", ())
SHIPPER_TROUBLE = Declared("modelwright_shipper_failures_total", "counter", "Tries to ship that failed.", ())
EVENT_POSTS = Declared("modelwright_event_posts_total", "counter", "Posts to sinks of events.", ("outcome",))
EVENT_POST_SECONDS = Declared("modelwright_event_post_seconds", "histogram", "How long such a post takes.", ())
EVENTS_DELIVERED = Declared("modelwright_events_delivered_total", "counter", "Events that sinks took.", ())

DECLARED: Mapping[str, Declared] = {
    each.name: each
    for each in (
        *(WEB_REQUESTS, WEB_SECONDS, TASKS, TASK_SECONDS, TURNS, TURN_SECONDS, SHIPPED, SHIPPER_TROUBLE),
        *(EVENT_POSTS, EVENT_POST_SECONDS, EVENTS_DELIVERED),
    )
}

_lock = threading.Lock()
_since: dict[Series, float] = {}
_flushed_at = time.monotonic()


def count(what: Declared, amount: float = 1, /, **labels: str) -> None:
    """It has happened once more, or `amount` times."""
    _add({Series(what.name, _labels(what, labels)): amount})


def observe(what: Declared, seconds: float, /, **labels: str) -> None:
    """It took that long once."""
    own = _labels(what, labels)
    place = bisect_left(SECONDS, seconds)
    bucket = number(SECONDS[place]) if place < len(SECONDS) else "+Inf"
    _add({Series(what.name, own, bucket): 1, Series(what.name, own, "sum"): seconds})


def take() -> dict[Series, float]:
    """What has been counted since the last time; it is the caller's now."""
    global _since
    with _lock:
        taken, _since = _since, {}
    return taken


def give_back(taken: Mapping[Series, float]) -> None:
    """What `take` gave could not be told, and counts for the next time."""
    _add(taken)


def flush() -> None:
    """Tell now, by the function that the setting COUNTS_STORE names. While the database does not answer, later."""
    global _flushed_at
    _flushed_at = time.monotonic()
    store = import_string(settings.COUNTS_STORE)
    store()


def tell_now_and_then() -> Callable[[], None]:
    """Tell in a thread of its own, for a process that has no loop where it could. What this returns ends that, with a
    last time."""
    stop = threading.Event()
    thread = threading.Thread(target=_tell, args=(stop,), name="counts", daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(LAST_SECONDS)

    return end


def _tell(stop: threading.Event) -> None:
    while not stop.wait(FLUSH_SECONDS):
        close_old_connections()
        flush()
    close_old_connections()
    flush()
    connections.close_all()


def flush_if_due() -> None:
    """Tell, unless that was done a moment ago."""
    if time.monotonic() - _flushed_at >= FLUSH_SECONDS:
        flush()


def _labels(what: Declared, labels: Mapping[str, str]) -> Labels:
    return (*((name, labels[name]) for name in what.labels), ("host", settings.HOST_NAME))


def _add(amounts: Mapping[Series, float]) -> None:
    with _lock:
        for series, amount in amounts.items():
            _since[series] = _since.get(series, 0.0) + amount
