"""Events to sinks: each at least once, those of one key in order, whatever dies where.

A sink's cursor moves in the database after the sink has taken a batch. Whoever delivers holds the sink by a lease and a
fence, so that there is one at a time; one that was killed leaves the cursor where it was, and what it sent last is sent
again, with the same ids and in the same order.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import close_old_connections, connection, connections
from django.db.models import Q
from django.utils import timezone

from models.events.batches import Packet, filters_of, next_letters, next_packet
from models.events.letters import open_letters
from models.events.models import Sink
from models.events.outcomes import settle_letters, settle_packet
from models.events.posting import Answer, post
from models.events.reading import read
from models.events.signing import signed_headers
from models.events.waiting import IDLE_STEP, due
from modelwright.core import counting
from modelwright.core.crypto import decrypt
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)

THREADS = 4
# Longer than a POST may take, with what is done before and after it.
LEASE_SECONDS = 45.0
# After so long the others have their turn.
TURN_SECONDS = 5.0


class Deliverer:
    """Delivers to several sinks at once, so that a slow one holds up no other; of each project, and of each workspace,
    to one at a time, so that none takes more than one of the threads, however many sinks it has and however slow they
    are."""

    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="event-sink")
        self._busy: set[UUID] = set()
        self._turns = itertools.count(1)
        self._last_turn: dict[UUID, int] = {}

    def tick(self) -> int:
        """Hand what is due to the threads; how many sinks that were. It waits for none of them."""
        found = self._next(due())
        for sink_id, home_id in found.items():
            self._busy.add(home_id)
            self._last_turn[sink_id] = next(self._turns)
            self._pool.submit(self._deliver, sink_id, home_id)
        return len(found)

    def _next(self, waiting: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
        """Of each project or workspace that has none at work, the sink whose turn is longest ago."""
        self._last_turn = {sink_id: turn for sink_id, turn in self._last_turn.items() if sink_id in waiting}
        chosen: dict[UUID, UUID] = {}
        for sink_id in sorted(waiting, key=lambda sink_id: self._last_turn.get(sink_id, 0)):
            if waiting[sink_id] not in self._busy and waiting[sink_id] not in chosen.values():
                chosen[sink_id] = waiting[sink_id]
        return chosen

    def _deliver(self, sink_id: UUID, home_id: UUID) -> None:
        close_old_connections()
        try:
            deliver(sink_id)
        except Exception:
            logger.exception("events could not be delivered to the sink %s; it is tried again", sink_id)
        finally:
            self._busy.discard(home_id)
            connections.close_all()


def has_work(sink: Sink) -> bool:
    """Whether anything waits for the sink, or its cursor is so far behind that it should move on all the same."""
    if open_letters(sink).filter(state="due").exists():
        return True
    piece = read(sink.position, 1, filters_of(sink))
    return bool(piece.things) or piece.end - sink.position >= IDLE_STEP


def deliver(sink_id: UUID, *, seconds: float = TURN_SECONDS) -> int:
    """Send what is due to the sink, for about so long at most; how many events it has taken."""
    held = _hold(sink_id)
    if held is None:
        return 0
    until, taken, sink = time.monotonic() + seconds, 0, _look(held)
    try:
        while sink is not None and has_work(sink) and time.monotonic() < until:
            taken += _step(sink)
            sink = _still_held(held)
    finally:
        Sink.objects.filter(pk=sink_id, fence=held.fence).update(leased_until=None)
    return taken


def _step(sink: Sink) -> int:
    """One POST, and what follows from it: how many events were taken."""
    letters = next_letters(sink)
    if letters.events or letters.gone:
        return settle_letters(sink, letters, _post(sink, letters) if letters.events else None)
    packet = next_packet(sink)
    return settle_packet(sink, packet, _post(sink, packet) if packet.events else None)


def _post(sink: Sink, packet: Packet) -> Answer:
    body, kind = packet.body(sink.mode)
    try:
        headers = signed_headers(decrypt(sink.secret), packet.message_id(sink), int(time.time()), body)
    except PlatformError as error:
        return Answer(0, f"{error.message} {error.remedy}")
    began = time.monotonic()
    answer = post(sink.url, body, {"Content-Type": kind, "User-Agent": "Modelwright", **headers})
    outcome = "taken" if answer.is_taken else "refused" if answer.status else "unreachable"
    counting.count(counting.EVENT_POSTS, outcome=outcome)
    took = time.monotonic() - began
    counting.observe(counting.EVENT_POST_SECONDS, took)
    if answer.is_taken:
        counting.count(counting.EVENTS_DELIVERED, len(packet.events))
    return replace(answer, seconds=took)


class _Held(NamedTuple):
    """What this caller alone delivers to, as long as the fence is its own."""

    sink_id: UUID
    fence: int


def _hold(sink_id: UUID) -> _Held | None:
    """Hold the sink; None where another does, or where it is paused."""
    now = timezone.now()
    values: dict[str, Any] = {"id": sink_id, "now": now, "until": now + timedelta(seconds=LEASE_SECONDS)}
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, values)
        row = cursor.fetchone()
    return None if row is None else _Held(sink_id, int(row[0]))


# The fence comes with the hold: read a moment later it might be that of somebody who holds it by then.
_HOLD = """
UPDATE events_sink SET fence = fence + 1, leased_until = %(until)s
 WHERE id = %(id)s AND state IN ('active') AND (leased_until IS NULL OR leased_until < %(now)s)
RETURNING fence
"""


def _still_held(held: _Held) -> Sink | None:
    """The sink as it is now, held for longer; None where it was lost, is paused, or has to wait."""
    lease = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    Sink.objects.filter(pk=held.sink_id, fence=held.fence).update(leased_until=lease)
    return _look(held)


def _look(held: _Held) -> Sink | None:
    may_wait = Q(next_attempt_at=None) | Q(next_attempt_at__lte=timezone.now())
    found = Sink.objects.filter(may_wait, pk=held.sink_id, fence=held.fence, state="active")
    sink: Sink | None = found.select_related("project", "workspace").first()
    return sink
