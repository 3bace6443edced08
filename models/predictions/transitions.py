"""The only code that writes the state of a re-execution. False means that somebody else was first."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from models.predictions.models import Reexecution
from models.predictions.states import REEXECUTION
from modelwright.core.states import move


def _move(reexecution: Reexecution, to: str, **changes: Any) -> bool:
    return move(Reexecution.objects.filter(pk=reexecution.pk), machine=REEXECUTION, to=to, **changes)


def run(reexecution: Reexecution) -> bool:
    """Its workload was started."""
    return _move(reexecution, "running")


def same(reexecution: Reexecution, *, detail: str, **answer: Any) -> bool:
    """The answer came again."""
    return _move(reexecution, "same", detail=detail, finished_at=timezone.now(), **answer)


def different(reexecution: Reexecution, *, detail: str, **answer: Any) -> bool:
    """Another answer came."""
    return _move(reexecution, "different", detail=detail, finished_at=timezone.now(), **answer)


def fail(reexecution: Reexecution, *, detail: str) -> bool:
    """No answer came; `detail` says why."""
    return _move(reexecution, "failed", detail=detail, finished_at=timezone.now())
