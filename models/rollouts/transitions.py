"""The only code that writes the states of rollouts. False means that somebody else was first."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from models.rollouts.models import Rollout
from models.rollouts.states import ROLLOUT
from modelwright.core.states import move


def _move(rollout: Rollout, to: str, **changes: Any) -> bool:
    return move(Rollout.objects.filter(pk=rollout.pk), machine=ROLLOUT, to=to, **changes)


def run(rollout: Rollout, **changes: Any) -> bool:
    """Its first step serves, or it goes on after a pause."""
    return _move(rollout, "running", paused_at=None, **changes)


def pause(rollout: Rollout) -> bool:
    """Its weights stay until somebody resumes it; its conditions hold on."""
    return _move(rollout, "paused", paused_at=timezone.now())


def end(rollout: Rollout, to: str, *, detail: str, **changes: Any) -> bool:
    """It is over: `promoted`, `completed`, `stopped` or `failed`."""
    return _move(rollout, to, ended_at=timezone.now(), paused_at=None, detail=detail, **changes)
