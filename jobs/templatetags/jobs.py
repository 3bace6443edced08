"""Filters of the pages of jobs and runs: `{% load jobs %}`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.template import Library
from django.utils import timezone

from modelwright.compute.models import Workload

register = Library()


@register.filter
def ran_for(workload: Workload) -> float | None:
    """Seconds from its start to its end, or until now; None while it has not started."""
    if workload.started_at is None:
        return None
    return ((workload.finished_at or timezone.now()) - workload.started_at).total_seconds()


@register.filter
def shell(arguments: Sequence[str]) -> str:
    """Arguments as one would type them."""
    return shlex.join(arguments)


@register.filter
def figure(value: float | None) -> str:
    """A metric's value with six digits that count; words for what is no finite number."""
    return "not a finite number" if value is None else f"{value:.6g}"


@register.filter
def with_key(address: str, key: str) -> str:
    """The address with `?key=`."""
    return f"{address}?{urlencode({'key': key})}"


@register.filter
def with_attempt(address: str, number: int) -> str:
    """The address with `?attempt=`."""
    return f"{address}?attempt={number}"


@register.filter
def below(path: str) -> str:
    """An artifact's path without the id that it begins with."""
    return path.partition("/")[2] or path


@register.filter
def in_artifacts(path: str) -> str:
    """A fetched artifact's path as its own run logged it."""
    return path.partition("/artifacts/")[2] or path


@register.filter
def at(values: Mapping[Any, Any], key: object) -> Any:
    """The value under a key, None where there is none."""
    return values.get(key)
