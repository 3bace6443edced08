"""The only code that writes the states of sinks and dead letters. False means that somebody else was first."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from models.events.models import DeadLetter, Sink
from models.events.states import LETTER, SINK
from modelwright.core.states import move


def pause(sink: Sink, *, detail: str) -> bool:
    """Nothing is sent to it until somebody resumes it."""
    return move(Sink.objects.filter(pk=sink.pk), machine=SINK, to="paused", detail=detail)


def resume(sink: Sink) -> bool:
    """Events are sent to it again, at once."""
    fresh = {"failures": 0, "failing_since": None, "next_attempt_at": None, "last_error": "", "refused": 0}
    return move(Sink.objects.filter(pk=sink.pk), machine=SINK, to="active", detail="", **fresh)


def send_again(letters: QuerySet[DeadLetter]) -> bool:
    """They are to be sent again. `release` sees to those that wait behind them."""
    return move(letters.filter(state="dead"), machine=LETTER, to="due", reason="")


def discard(letters: QuerySet[DeadLetter], *, by: str) -> bool:
    """They will not be sent."""
    return move(letters, machine=LETTER, to="discarded", settled_by=by, settled_at=timezone.now())


def deliver(letters: QuerySet[DeadLetter]) -> bool:
    """The sink has taken them."""
    return move(letters, machine=LETTER, to="delivered", reason="", settled_at=timezone.now())


def refuse(letter: DeadLetter, *, reason: str, attempts: int) -> bool:
    """It was sent again and not taken; what is to follow it under its key waits behind it."""
    refused = move(DeadLetter.objects.filter(pk=letter.pk), machine=LETTER, to="dead", reason=reason, attempts=attempts)
    move(_later(letter).filter(state="due"), machine=LETTER, to="held", reason=waits_behind(letter))
    return refused


def release(sink: Sink) -> bool:
    """What waited behind a letter that is settled, or about to be sent before it, is to be sent."""
    before = DeadLetter.objects.filter(_before(), sink=OuterRef("sink"), key=OuterRef("key"), state="dead")
    freed = DeadLetter.objects.filter(sink=sink, state="held").exclude(Exists(before))
    return move(freed, machine=LETTER, to="due", reason="")


def waits_behind(letter: DeadLetter) -> str:
    """Why a letter is held."""
    return f"It waits behind {letter.event_id}, which was not taken."


def _before() -> Q:
    place: dict[str, Any] = {"position": OuterRef("position"), "part__lt": OuterRef("part")}
    return Q(position__lt=OuterRef("position")) | Q(**place)


def _later(letter: DeadLetter) -> QuerySet[DeadLetter]:
    later = Q(position__gt=letter.position) | Q(position=letter.position, part__gt=letter.part)
    found: QuerySet[DeadLetter] = DeadLetter.objects.filter(later, sink=letter.sink_id, key=letter.key)
    return found
