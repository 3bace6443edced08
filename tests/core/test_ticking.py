"""The loops of the watcher process."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper

from modelwright.core.ticking import Loop, run_loops

pytestmark = pytest.mark.django_db(transaction=True)


def run_until(condition: threading.Event, *loops: Loop) -> None:
    """Run the loops in a thread until the condition holds, then stop them."""
    stop = threading.Event()
    runner = threading.Thread(target=run_loops, args=(loops, stop))
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
    from modelwright.loops import LOOPS

    assert {"workloads", "ended-runs", "schedules", "audit-seal"} <= {loop.name for loop in LOOPS}
    assert all(loop.seconds > 0 for loop in LOOPS)


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
