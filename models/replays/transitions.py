"""The only code that writes the states of replays and drills. False means that somebody else was first."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from models.replays.models import Drill, Replay
from models.replays.states import DRILL, REPLAY
from modelwright.core.states import move


def _move(replay: Replay, to: str, **changes: Any) -> bool:
    return move(Replay.objects.filter(pk=replay.pk), machine=REPLAY, to=to, **changes)


def run(replay: Replay) -> bool:
    """Its candidate is being asked."""
    return _move(replay, "running")


def conclude(replay: Replay, *, passed: bool, **facts: Any) -> bool:
    """Its report is made; it passed, or `reasons` say why not."""
    return _move(replay, "passed" if passed else "failed", finished_at=timezone.now(), **facts)


def give_up(replay: Replay, *, detail: str) -> bool:
    """It came to no result; `detail` says why."""
    return _move(replay, "broken", detail=detail, finished_at=timezone.now())


def cancel(replay: Replay, *, detail: str) -> bool:
    """Nobody wants to know any more; `detail` says who."""
    return _move(replay, "cancelled", detail=detail, finished_at=timezone.now())


def _step(drill: Drill, to: str, **changes: Any) -> bool:
    return move(Drill.objects.filter(pk=drill.pk), machine=DRILL, to=to, **changes)


def begin(drill: Drill, **times: Any) -> bool:
    """Its replica has a place and starts."""
    return _step(drill, "starting", **times)


def ask(drill: Drill, **times: Any) -> bool:
    """Its replica answers, and is about to be asked."""
    return _step(drill, "asking", **times)


def end(drill: Drill, *, passed: bool, detail: str, **facts: Any) -> bool:
    """It is proved, or `detail` says why not."""
    return _step(drill, "passed" if passed else "failed", detail=detail, finished_at=timezone.now(), **facts)
