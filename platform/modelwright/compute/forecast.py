"""Roughly how long something waits: from how long earlier ones of the same job took, and from time limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from modelwright.compute.fitting import Need
from modelwright.compute.models import Workload
from modelwright.compute.rooms import ROUNDING, Room
from modelwright.compute.states import LIVE_ON_HOST
from modelwright.compute.words import time_words

# What runs longer than its like did is taken to need this part of that time yet.
OVERDUE = 0.1
HISTORY_DAYS = 30
HISTORY_ROWS = 2000

Series = tuple[str, UUID | None, str]
NOBODY_KNOWS = "Nobody can know how long it waits: what runs there has no time limit."


@dataclass(frozen=True, slots=True)
class Free:
    """What is free of a host; less than nothing while others have yet to get what they were promised."""

    cpu: float
    memory_bytes: int
    gpus: int

    def __add__(self, other: Free) -> Free:
        return Free(self.cpu + other.cpu, self.memory_bytes + other.memory_bytes, self.gpus + other.gpus)

    def __sub__(self, other: Free) -> Free:
        return Free(self.cpu - other.cpu, self.memory_bytes - other.memory_bytes, self.gpus - other.gpus)

    def holds(self, other: Free) -> bool:
        """Whether there is as much."""
        left = self - other
        return left.cpu > -ROUNDING and left.memory_bytes >= 0 and left.gpus >= 0


@dataclass(frozen=True, slots=True)
class End:
    """When a workload gives back what it holds of a host. `sure` is False for a time limit that may not be reached."""

    seconds: float
    sure: bool
    has: Free


@dataclass(frozen=True, slots=True)
class Wait:
    """How long until there is room; `sure` as in `End`."""

    seconds: float
    sure: bool

    def words(self) -> str:
        """A sentence."""
        if self.sure:
            return f"Going by earlier ones, it waits about {time_words(self.seconds)}."
        return f"It waits at most {time_words(self.seconds)}: then the time limits of what runs there are over."


def series_of(workload: Workload) -> Series:
    """What earlier workloads are its like: those of its job, or the builds of environments."""
    if workload.kind == Workload.Kind.ENVIRONMENT:
        return (workload.kind, None, "")
    return (workload.kind, workload.project_id, workload.name.partition(" #")[0])


def medians(series: Iterable[Series]) -> dict[Series, float]:
    """Seconds that the newest successful ones of each series took in the median; unknown ones are left out.

    A job without a history is taken for the other jobs of its project.
    """
    wanted = set(series)
    projects = [project for _, project, _ in wanted if project is not None]
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MEDIANS, {"projects": projects, "days": HISTORY_DAYS, "rows": HISTORY_ROWS})
        found = {(kind, project, name): float(seconds) for kind, project, name, seconds in cursor.fetchall()}
    known: dict[Series, float] = {}
    for kind, project, name in wanted:
        value = found.get((kind, project, name), found.get((kind, project, None)))
        if value is not None:
            known[kind, project, name] = value
    return known


_MEDIANS = """
WITH newest AS (
  SELECT kind, CASE WHEN kind <> 'environment' THEN project_id END AS project,
         CASE WHEN kind = 'environment' THEN '' ELSE split_part(name, ' #', 1) END AS series,
         extract(epoch FROM finished_at - started_at) AS seconds
  FROM compute_workload
  WHERE state = 'succeeded' AND started_at IS NOT NULL AND finished_at > now() - make_interval(days => %(days)s)
    AND (project_id = ANY(%(projects)s::uuid[]) OR kind = 'environment')
  ORDER BY finished_at DESC LIMIT %(rows)s
)
SELECT kind, project, series, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)
FROM newest GROUP BY GROUPING SETS ((kind, project, series), (kind, project))
"""


class Forecast:
    """What the hosts will have free, and when. Each workload that is asked about takes its place in it."""

    def __init__(self, rooms: Mapping[UUID, Room], queue: Sequence[Workload], now: datetime) -> None:
        live = Workload.objects.filter(state__in=LIVE_ON_HOST, host__in=rooms).defer("spec", "secrets")
        rows = list(live)
        self._free = {host: Free(room.cpu, room.memory_bytes, len(room.gpus)) for host, room in rooms.items()}
        self._medians = medians(series_of(workload) for workload in [*rows, *queue])
        self._ends: dict[UUID, list[End]] = {host: [] for host in rooms}
        self._next: dict[UUID | None, Wait] = {}
        for row in rows:
            known = self._remaining(row, now)
            if known is not None and row.host_id is not None:
                seconds, sure = known
                self._ends[row.host_id].append(End(seconds, sure, Free(row.cpu, row.memory_bytes, row.gpus)))
                first = self._next.get(row.workspace_id)
                if first is None or seconds < first.seconds:
                    self._next[row.workspace_id] = Wait(seconds, sure)
        for ends in self._ends.values():
            ends.sort(key=lambda end: end.seconds)

    def build_seconds(self) -> float | None:
        """What a build of an environment takes, None where none was built."""
        return self._medians.get((Workload.Kind.ENVIRONMENT, None, ""))

    def next_end(self, workspace: UUID) -> Wait | None:
        """When the next of the workspace's workloads ends, None when nobody can know."""
        return self._next.get(workspace)

    def wait(self, workload: Workload, need: Need, hosts: Iterable[UUID]) -> Wait | None:
        """When one of the hosts has room for it, None when nobody can know. Those asked about before go first."""
        asked = Free(need.cpu, need.memory_bytes, need.gpus)
        found = [(wait, host) for host in hosts if (wait := self._host_wait(asked, host)) is not None]
        if not found:
            return None
        wait, host = min(found, key=lambda pair: pair[0].seconds)
        lasts = self._medians.get(series_of(workload))
        seconds = lasts if lasts is not None else workload.timeout_seconds
        self._free[host] -= asked
        if seconds is not None:
            self._ends[host].append(End(wait.seconds + seconds, wait.sure and lasts is not None, asked))
            self._ends[host].sort(key=lambda end: end.seconds)
        return wait

    def _host_wait(self, asked: Free, host: UUID) -> Wait | None:
        free, sure = self._free[host], True
        if free.holds(asked):
            return Wait(0.0, sure=True)
        for end in self._ends[host]:
            free, sure = free + end.has, sure and end.sure
            if free.holds(asked):
                return Wait(end.seconds, sure)
        return None

    def _remaining(self, row: Workload, now: datetime) -> tuple[float, bool] | None:
        """(seconds that it holds its host yet, whether that is more than a limit), None without either."""
        begun = row.started_at or row.placed_at or now
        passed = max(0.0, (now - begun).total_seconds())
        limit = None if row.timeout_seconds is None else max(1.0, row.timeout_seconds - passed)
        median = self._medians.get(series_of(row))
        if median is None:
            return None if limit is None else (limit, False)
        return min(max(median - passed, median * OVERDUE, 1.0), limit or float("inf")), True
