"""The days of the table of predictions. An id says when it was made, so a range of ids is a range of time.

Days are made ahead. A row whose day has no partition (the ticks stood still, an old spool was found) goes to the
default one and is moved when its day is made. The first partition holds what there was before there were days.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

TABLE = "predictions_prediction"
REST = f"{TABLE}_default"
DAYS_AHEAD = 3
DAY = timedelta(days=1)

_BOUNDS = re.compile(r"FOR VALUES FROM \((?:'([0-9a-f-]{36})'|MINVALUE)\) TO \('([0-9a-f-]{36})'\)")
# Whoever waits for a long reader holds up everyone who comes after: rather try again at the next tick.
_NOT_FOR_LONG = "SET LOCAL lock_timeout = '5s'"
_LIST = """
SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
  FROM pg_inherits
  JOIN pg_class parent ON parent.oid = inhparent
  JOIN pg_class child ON child.oid = inhrelid
  JOIN pg_namespace place ON place.oid = parent.relnamespace AND place.nspname = current_schema()
 WHERE parent.relname = %s
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of the table: ids from `start` (None: from the first) to before `end`."""

    name: str
    start: UUID | None
    end: UUID

    @property
    def ends_at(self) -> datetime:
        """The time of the first id after it."""
        return time_of(self.end)


def floor_id(at: datetime) -> UUID:
    """The smallest id that can have been made at that time."""
    milliseconds = (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)


def time_of(id_: UUID) -> datetime:
    """When an id was made, to the millisecond; the latest time there is for what is no UUIDv7."""
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=id_.int >> 80)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def partitions() -> list[Partition]:
    """All but the default one, in order."""
    with connection.cursor() as cursor:
        cursor.execute(_LIST, [TABLE])
        found = [(name, _BOUNDS.fullmatch(bounds)) for name, bounds in cursor.fetchall()]
    parts = [Partition(name, UUID(m[1]) if m[1] else None, UUID(m[2])) for name, m in found if m]
    return sorted(parts, key=lambda part: part.end)


def make_ahead(today: date | None = None) -> list[str]:
    """Make the partitions of today and of the next days where they are missing; return their names."""
    today = today or timezone.now().astimezone(UTC).date()
    there = partitions()
    made = []
    for number in range(DAYS_AHEAD + 1):
        start = datetime.combine(today + number * DAY, time.min, UTC)
        first, end = floor_id(start), floor_id(start + DAY)
        if not any((part.start is None or part.start < end) and first < part.end for part in there):
            _make(f"{TABLE}_{start:%Y%m%d}", first, end)
            made.append(f"{TABLE}_{start:%Y%m%d}")
    return made


@transaction.atomic
def _make(name: str, first: UUID, end: UUID) -> None:
    """One partition, with what of it lies in the default one."""
    with connection.cursor() as cursor:
        # Before anything is looked at: a row that is stored meanwhile could otherwise stay behind in the default one.
        cursor.execute(_NOT_FOR_LONG)
        cursor.execute(f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING ALL)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {REST} WHERE id >= %s AND id < %s RETURNING *) "  # noqa: S608
            f"INSERT INTO {name} SELECT * FROM moved",
            [first, end],
        )
        cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)", [first, end])


def hold(part: Partition) -> None:
    """Let nothing be written into the partition until the caller's transaction ends; it can be read.

    Raises OperationalError where others write into it for long.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOT_FOR_LONG)
        cursor.execute(f"LOCK TABLE {part.name} IN SHARE ROW EXCLUSIVE MODE")


def drop(part: Partition) -> None:
    """Give the whole partition up, with all that is in it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_NOT_FOR_LONG)
        cursor.execute(f"DROP TABLE {part.name}")
