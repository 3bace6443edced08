"""Cron lines, in UTC."""

from __future__ import annotations

import itertools
from datetime import datetime

from cronsim import CronSim, CronSimError
from django.utils import timezone

from modelwright.core.errors import ValidationFailed

_REMEDY = "Write five fields: minute, hour, day of month, month, day of week; `30 6 * * 1-5` is 06:30 on weekdays, UTC."


def next_times(line: str, count: int = 1, after: datetime | None = None) -> list[datetime]:
    """The next `count` times of a cron line, in UTC. Raises ValidationFailed where it is none, or never comes."""
    try:
        # cronsim stops by itself where no date within fifty years fits.
        found = list(itertools.islice(CronSim(_five_fields(line), after or timezone.now()), count))
    except CronSimError as error:
        raise ValidationFailed(f"{line[:100]!r} is no schedule: {error}.", remedy=_REMEDY, field="schedule") from None
    if not found:
        raise ValidationFailed(f"{line[:100]!r} never comes.", remedy=_REMEDY, field="schedule")
    return found


def _five_fields(line: str) -> str:
    if len(line.split()) != 5:
        raise ValidationFailed(f"{line[:100]!r} has not five fields.", remedy=_REMEDY, field="schedule")
    return line
