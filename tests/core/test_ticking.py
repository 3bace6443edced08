"""The loops of the watcher process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper

from modelwright.core import ticking
from modelwright.core.ticking import Loop, run_loops

pytestmark = pytest.mark.django_db(transaction=True)


def run_until(condition: threading.Event, *loops: Loop, newest: Callable[[], object] | None = None) -> None:
    """Run the loops in a thread until the condition holds, then stop them."""
    stop = threading.Event()
    runner = threading.Thread(target=run_loops, args=(loops, stop, newest))
    runner.start()
    try:
        assert condition.wait(60)
    finally:
        stop.set()
        runner.join(60)
    assert not runner.is_alive()


def test_a_failing_loop_goes_on_and_holds_up_no_other() -> None:
    failed, reached = [0], threading.Event()

    def fail() -> None:
        failed[0] += 1
        if failed[0] == 3:
            reached.set()
        raise RuntimeError("no good")

    run_until(reached, Loop("fails", fail, 0.01))


def test_a_slow_loop_holds_up_no_other() -> None:
    ticks, reached = [0], threading.Event()

    def tick() -> None:
        ticks[0] += 1
        if ticks[0] == 5:
            reached.set()

    run_until(reached, Loop("slow", lambda: time.sleep(3), 0.01), Loop("quick", tick, 0.01))


def test_the_platforms_loops_can_be_loaded() -> None:
    from modelwright.loops import HOST_LOOPS, LOOPS

    assert {"workloads", "ended-runs", "schedules", "audit-seal"} <= {loop.name for loop in LOOPS}
    assert all(loop.seconds > 0 for loop in LOOPS)
    assert all(loop.rests is None or loop.seconds < loop.rests <= 1 for loop in LOOPS)
    # A host's watcher hears of no news.
    assert not [loop.name for loop in HOST_LOOPS if loop.rests]


def test_a_loop_with_news_does_not_wait_for_its_turn() -> None:
    reached, news = threading.Event(), iter([False, True])
    run_until(reached, Loop("waits long", reached.set, 600, lambda: next(news, False)))


def test_a_loop_whose_connection_breaks_goes_on_with_another_and_asks_none_that_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, served, reached = [0], [], threading.Event()
    is_usable = DatabaseWrapper.is_usable

    def counted(self: DatabaseWrapper) -> bool:
        asked[0] += 1
        return is_usable(self)

    monkeypatch.setattr(DatabaseWrapper, "is_usable", counted)

    def tick() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            served.append(cursor.fetchone()[0])
            if len(served) == 20:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        if len(served) > 40:
            reached.set()

    run_until(reached, Loop("asks", tick, 0.01))
    assert len(set(served)) == 2
    assert asked[0] <= 10


def test_a_loop_with_nothing_to_do_rests_until_there_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticking, "NEWS_KEEP_AWAKE_SECONDS", 0.0)
    ticks, done, reached = [0], [0], threading.Event()

    def happen() -> None:
        done[0] += 1

    def tick() -> bool:
        ticks[0] += 1
        if done[0] >= 3:
            reached.set()
        elif ticks[0] > done[0]:
            threading.Timer(0.3, happen).start()
        return False

    run_until(reached, Loop("rests", tick, 0.01, rests=600), newest=lambda: done[0])
    # Once at the beginning, once for what is taken for news then, and once for each of those that it made happen.
    assert ticks[0] <= 6


def turns(answer: bool, reached: threading.Event) -> Callable[[], bool]:
    """A tick that answers so, and sets the event at its twentieth turn."""
    done = [0]

    def tick() -> bool:
        done[0] += 1
        if done[0] == 20:
            reached.set()
        return answer

    return tick


def test_a_loop_that_did_something_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticking, "NEWS_KEEP_AWAKE_SECONDS", 0.0)
    reached = threading.Event()
    run_until(reached, Loop("works", turns(True, reached), 0.01, rests=600), newest=lambda: 1)


def test_news_keep_a_loop_awake_for_what_comes_of_them() -> None:
    reached = threading.Event()
    run_until(reached, Loop("watches", turns(False, reached), 0.01, rests=600), newest=lambda: 1)
