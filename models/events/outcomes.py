"""What follows from a sink's answer: its cursor moves, or it is asked again later, or an event is put aside.

Which fault is whose: an answer that says that the content is wrong (400, 413, 422, …) is about an event, which is found
by halving the batch and put aside. One that says that the sink is not well (no answer, 5xx, 429), not there (404,
redirects) or does not know us (401, 403) is about none of them: everything waits. A server's error that one event alone
meets for long is taken to be about that event, but never of two in a row: then the sink is down. One that refuses event
after event and takes none is paused: it is not the events that are wrong.
"""

from __future__ import annotations

import random
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from models.events import transitions
from models.events.batches import Packet, limit_of
from models.events.cloudevents import Event
from models.events.facts import audit
from models.events.models import MOST_EVENTS, DeadLetter, Sink
from models.events.posting import Answer
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction

DELIVERER = Actor.system("delivery of events")
# About the sink, though the number is one of the client's faults.
NOT_THE_EVENT = frozenset((401, 402, 403, 404, 405, 407, 408, 421, 423, 425, 429))
GONE = 410
# A sink that takes so long to answer waits for so many times as long, also where it took what it was sent: so it never
# has more than a quarter of a thread, which others need as well.
SLOW_SECONDS, SLOW_WAITS = 2.0, 3.0
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 300.0
HALVE_AFTER_FAILURES = 3
GIVE_UP_AFTER = timedelta(minutes=15)
PAUSE_AFTER = timedelta(hours=24)
MOST_REFUSED = 20
_SETTLED: dict[str, Any] = {"failures": 0, "failing_since": None, "last_error": "", "next_attempt_at": None}


class Verdict(Enum):
    """What to do."""

    TAKEN = auto()
    LATER = auto()
    # In smaller pieces, at once or later.
    HALVES = auto()
    HALVES_LATER = auto()
    ASIDE = auto()
    PAUSE = auto()


def verdict(sink: Sink, count: int, answer: Answer) -> Verdict:
    """What follows from the answer to `count` events."""
    now, status = timezone.now(), answer.status
    failing_for = now - (sink.failing_since or now)
    if answer.is_taken:
        return Verdict.TAKEN
    if status == GONE or failing_for >= PAUSE_AFTER:
        return Verdict.PAUSE
    if 400 <= status < 500 and status not in NOT_THE_EVENT:
        return Verdict.HALVES if count > 1 else Verdict.ASIDE
    if status >= 500 and count > 1 and sink.failures + 1 >= HALVE_AFTER_FAILURES:
        return Verdict.HALVES_LATER
    if status >= 500 and count == 1 and failing_for >= GIVE_UP_AFTER and not sink.gave_up_one:
        return Verdict.ASIDE
    return Verdict.LATER


@transaction.atomic
def settle_packet(sink: Sink, packet: Packet, answer: Answer | None) -> int:
    """Move the cursor, or do not. How many events were taken; none where the sink was lost to another meanwhile."""
    cursor: dict[str, Any] = {"position": packet.end, "part": packet.part}
    decided = verdict(sink, len(packet.events), answer) if answer else Verdict.TAKEN
    if answer is None or decided is Verdict.TAKEN:
        if not _write(sink, **cursor, **_success(sink, len(packet.events), answer)):
            return 0
        _put_behind(sink, packet)
        return len(packet.events)
    if decided is Verdict.ASIDE:
        if _write(sink, **cursor, **_given_up(sink, answer), refused=F("refused") + 1, batch_limit=1):
            _put_behind(sink, packet)
            _aside(sink, packet.events[0], "dead", answer.detail, attempts=sink.failures + 1)
            if sink.refused + 1 >= MOST_REFUSED:
                _pause(sink, f"It has refused {sink.refused + 1} events in a row and taken none. {answer.detail}")
        return 0
    _fail(sink, decided, len(packet.events), answer)
    return 0


@transaction.atomic
def settle_letters(sink: Sink, packet: Packet, answer: Answer | None) -> int:
    """What was sent again is settled, or not. How many events were taken."""
    if not _write(sink):
        return 0
    if packet.gone:
        rows = DeadLetter.objects.filter(pk__in=[letter.pk for letter in packet.gone])
        transitions.discard(rows, by="retention")
        transitions.release(sink)
    if answer is None:
        return 0
    decided = verdict(sink, len(packet.events), answer)
    if decided is Verdict.TAKEN:
        transitions.deliver(DeadLetter.objects.filter(pk__in=[letter.pk for letter in packet.letters]))
        transitions.release(sink)
        _write(sink, **_success(sink, len(packet.events), answer))
        return len(packet.events)
    if decided is Verdict.ASIDE:
        letter = packet.letters[0]
        transitions.refuse(letter, reason=answer.detail, attempts=letter.attempts + 1)
        _write(sink, **_given_up(sink, answer))
        return 0
    _fail(sink, decided, len(packet.events), answer)
    return 0


def _write(sink: Sink, **changes: Any) -> bool:
    """Change the sink where it is still held. It stays locked until the transaction ends."""
    mine = Sink.objects.filter(pk=sink.pk, fence=sink.fence)
    return mine.update(**(changes or {"fence": sink.fence})) > 0


def _given_up(sink: Sink, answer: Answer) -> dict[str, Any]:
    return {**_SETTLED, **_slow(answer), "gave_up_one": sink.gave_up_one or answer.status >= 500}


def _slow(answer: Answer) -> dict[str, Any]:
    """The wait of a sink that was slow."""
    seconds = _slow_wait(answer)
    return {"next_attempt_at": timezone.now() + timedelta(seconds=seconds)} if seconds else {}


def _slow_wait(answer: Answer) -> float:
    return answer.seconds * SLOW_WAITS if answer.seconds > SLOW_SECONDS else 0.0


def _success(sink: Sink, count: int, answer: Answer | None) -> dict[str, Any]:
    if not count or answer is None:
        return {}
    return {
        **_SETTLED,
        **_slow(answer),
        "delivered": F("delivered") + count,
        "delivered_at": timezone.now(),
        "gave_up_one": False,
        "refused": 0,
        "batch_limit": min(limit_of(sink) * 2, MOST_EVENTS),
    }


def _fail(sink: Sink, decided: Verdict, count: int, answer: Answer) -> None:
    if decided is Verdict.HALVES:
        _write(sink, batch_limit=max(count // 2, 1), last_error=answer.detail, **_slow(answer))
        return
    now = timezone.now()
    changes: dict[str, Any] = {
        "failures": F("failures") + 1,
        "failing_since": sink.failing_since or now,
        "last_error": answer.detail,
        "next_attempt_at": now + timedelta(seconds=wait_seconds(sink.failures, answer)),
    }
    if decided is Verdict.HALVES_LATER:
        changes["batch_limit"] = max(count // 2, 1)
    if _write(sink, **changes) and decided is Verdict.PAUSE:
        gone = answer.status == GONE
        _pause(sink, "It answered 410, that it is gone." if gone else f"It has failed for a day. {answer.detail}")


def _pause(sink: Sink, detail: str) -> None:
    if transitions.pause(sink, detail=detail):
        audit(AuditAction.EVENT_SINK_PAUSED, sink, acting_user=DELIVERER, reason=detail)


def wait_seconds(failures: int, answer: Answer) -> float:
    """Twice as long each time, up to five minutes, drawn by lot from the upper half, so that sinks that failed together
    do not come back together; never less than the sink asked for, or than it was slow."""
    wait = min(FIRST_WAIT_SECONDS * float(1 << min(failures, 20)), LONGEST_WAIT_SECONDS)
    return max(wait * random.uniform(0.5, 1.0), answer.wait_seconds, _slow_wait(answer))  # noqa: S311 - nothing to guess


def _put_behind(sink: Sink, packet: Packet) -> None:
    for event, before in packet.held:
        _aside(sink, event, "held", f"It waits behind {before}, which was not taken.")
    if packet.held:
        # What they wait behind may have been discarded or sent again since the packet was made.
        transitions.release(sink)


def _aside(sink: Sink, event: Event, state: str, reason: str, attempts: int = 0) -> None:
    DeadLetter.objects.get_or_create(
        sink=sink,
        position=event.position,
        part=event.part,
        defaults={
            "event_id": event.id,
            "type": event.type,
            "kind": event.kind,
            "thing_id": event.thing_id,
            "endpoint_id": event.endpoint_id,
            "key": event.key,
            "state": state,
            "reason": reason,
            "attempts": attempts,
        },
    )
