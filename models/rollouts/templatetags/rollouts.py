"""Filters of the pages of rollouts: `{% load rollouts %}`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.template import Library

from models.replays.intervals import Interval
from models.rollouts.comparing import Comparison, Variant

register = Library()
MAX_JSON = 200

_CONDITIONS = {
    "max_error_rate": "Too many requests fail",
    "no_more_errors_than_base": "More fail than with the version before",
    "max_p99_ratio": "Answers take too long",
    "max_answer_shift": "Answers are others than before",
    "max_fallback_rate": "Too many go to the fallback",
    "max_replica_deaths": "Replicas die",
}


@register.filter
def condition_words(name: str) -> str:
    """What breaks a condition."""
    return _CONDITIONS.get(name, name)


@register.filter
def rollout_title(number: int) -> str:
    """The heading of a rollout's page."""
    return f"Rollout {number}"


@register.filter
def as_moment(text: str) -> datetime:
    """The moment that evidence keeps as text."""
    return datetime.fromisoformat(text)


@register.filter
def left_over(confidence: float) -> str:
    """What is left of certainty, in percent."""
    return f"{100 * (1 - confidence):.3g} %"


@register.filter
def percent(share: float | None) -> str:
    """A share in percent."""
    return "—" if share is None else f"{100 * share:.1f} %"


@register.filter
def interval(found: Interval | None) -> str:
    """A share in percent with its interval."""
    if found is None:
        return "—"
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f} %)"


@register.filter
def both(compared: Comparison) -> list[Variant]:
    """The two versions, the one before first."""
    return [compared.base, compared.candidate]


@register.filter
def short_json(value: Any) -> str:
    """A recorded answer on one line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_JSON else f"{text[:MAX_JSON]}…"
