"""Loops of a long-running process: each tick in a thread of its own, so that a slow one does not hold up the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import close_old_connections, connections

from modelwright.core import counting, pulse

logger = logging.getLogger(__name__)
LONGEST_PAUSE_SECONDS = 5.0
STOP_SECONDS = 8.0
# A loop that has not come round for so much longer than it should hangs.
HANGS_SECONDS = 120.0
HURRY_SECONDS = 0.05
# A connection that broke makes a tick fail, after which it is looked at and made again. To ask before every tick
# whether it still works would be a third of what a loop that finds nothing to do costs.
LOOK_AT_CONNECTIONS_SECONDS = 5.0
# How often it is asked whether there is news, and how long news keep a loop from resting: it may have effects that come
# step by step.
NEWS_SECONDS = 0.1
NEWS_KEEP_AWAKE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Loop:
    """Calls `tick` every `seconds`, counted from the end of the tick before. A tick may be repeated and interrupted.

    `hurry` is asked often meanwhile, and must cost next to nothing: where it answers True, the pause is over. A loop
    that `rests` pauses for so many seconds where its tick answered that it did nothing, until there is news.
    """

    name: str
    tick: Callable[[], object]
    seconds: float
    hurry: Callable[[], bool] | None = None
    rests: float | None = None


class News:
    """Whether anything was done lately, going by something that is another one whenever anything is."""

    def __init__(self, newest: Callable[[], object]) -> None:
        """Nothing is known yet, which is taken for news."""
        self._newest = newest
        self._seen: object = self
        self._at = time.monotonic()

    def look(self) -> None:
        """Look now."""
        newest = self._newest()
        if newest != self._seen:
            self._seen, self._at = newest, time.monotonic()

    def came_since(self, moment: float) -> bool:
        """Whether there was any after that moment of the monotonic clock."""
        return self._at > moment


def run_loops(loops: Sequence[Loop], stop: threading.Event, newest: Callable[[], object] | None = None) -> None:
    """Run every loop until `stop` is set. A tick that is under way then gets a few seconds to end.

    The process gives its sign of life (`core.pulse`) as long as every loop comes round. Without `newest`, which answers
    something else whenever anything was done, no loop rests.
    """
    news = None if newest is None else News(newest)
    if news is not None:
        loops = [*loops, Loop("news", news.look, NEWS_SECONDS)]
    turned = {loop.name: time.monotonic() for loop in loops}
    threads = [
        threading.Thread(target=_run, args=(loop, stop, turned, news), name=loop.name, daemon=True) for loop in loops
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(pulse.INTERVAL_SECONDS):
        now = time.monotonic()
        if all(now - turned[loop.name] < loop.seconds + HANGS_SECONDS for loop in loops):
            pulse.beat()
    for thread in threads:
        thread.join(STOP_SECONDS / len(threads))


def _run(loop: Loop, stop: threading.Event, turned: dict[str, float], news: News | None) -> None:
    own: tuple[Callable[[], bool], ...] = () if loop.hurry is None else (loop.hurry,)
    pause, hurries, trouble, looked = loop.seconds, own, "", float("-inf")
    while not _stopped(pause, hurries, stop):
        began = turned[loop.name] = time.monotonic()
        if trouble or began - looked >= LOOK_AT_CONNECTIONS_SECONDS:
            close_old_connections()
            looked = began
        try:
            did_something = bool(loop.tick())
            counting.count(counting.TURNS, loop=loop.name, outcome="done")
            counting.observe(counting.TURN_SECONDS, time.monotonic() - began, loop=loop.name)
        except Exception as error:
            counting.count(counting.TURNS, loop=loop.name, outcome="failed")
            # Nothing that one tick does may end the watcher; what keeps failing is tried less often and told once.
            pause, hurries = min(max(pause, 0.25) * 2, max(LONGEST_PAUSE_SECONDS, loop.seconds)), own
            if trouble != repr(error):
                logger.exception("loop %s fails and is tried again", loop.name)
            trouble = repr(error)
            continue
        if trouble:
            logger.info("loop %s goes on", loop.name)
        pause, hurries, trouble = loop.seconds, own, ""
        if loop.rests is None or news is None or did_something:
            continue
        if not news.came_since(time.monotonic() - NEWS_KEEP_AWAKE_SECONDS):
            pause, hurries = loop.rests, (*own, partial(news.came_since, began))
    connections.close_all()


def _stopped(pause: float, hurries: Sequence[Callable[[], bool]], stop: threading.Event) -> bool:
    """Whether it shall stop, once the pause is over or something hurries."""
    if not hurries:
        return stop.wait(pause)
    until = time.monotonic() + pause
    while (left := until - time.monotonic()) > 0:
        if stop.wait(min(left, HURRY_SECONDS)):
            return True
        if any(hurry() for hurry in hurries):
            break
    return stop.is_set()
