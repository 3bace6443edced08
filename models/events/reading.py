"""Things of the stream after a position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from models.events.models import Arrival, Family
from models.events.ordering import head

# Beginnings of the actions that are events, by family.
ACTIONS: Mapping[str, tuple[str, ...]] = {
    Family.DEPLOYMENT: ("deployment.", "rollback.", "endpoint."),
    Family.ROLLOUT: ("rollout.",),
    Family.APPROVAL: ("promotion.", "consent.", "approval-policy.", "model-check.", "model-card.", "model-alias."),
    Family.MODEL: ("model.", "model-version.", "model-tests."),
    Family.ALERT: ("alert", "availability", "drill", "replay"),
    Family.RUN: ("run.", "batch."),
    Family.SOURCE: ("project.committed", "project.imported", "project.pushed", "session.committed", "session.merged"),
}
EVERYTHING = frozenset(Family.values)
_PROJECTS = "SELECT p.id FROM projects_project p WHERE p.workspace_id = %(workspace)s"


class Thing(NamedTuple):
    """One stored row at its place in the stream. `what` is the action of a row of the audit log."""

    position: int
    at: datetime
    kind: str
    what: str
    project_id: UUID | None
    endpoint_id: UUID | None
    id: UUID


class Piece(NamedTuple):
    """Things in order, and the position up to which there are no others that were asked for."""

    things: list[Thing]
    end: int


@dataclass(frozen=True, slots=True)
class Filters:
    """Which things: of one project, or of the projects of one workspace (None and None: of all), of some endpoints
    (empty: of all), of some families."""

    project_id: UUID | None = None
    endpoint_ids: Sequence[UUID] = ()
    families: Iterable[str] = field(default=EVERYTHING)
    workspace_id: UUID | None = None

    def sql(self) -> tuple[str, dict[str, Any]]:
        """A condition on arrivals, and its parameters."""
        wanted = frozenset(self.families)
        starts = [start for family, found in ACTIONS.items() if family in wanted for start in found]
        kinds = [Arrival.Kind.PREDICTION] if wanted & {Family.REQUEST, Family.ANSWER} else []
        if Family.FEEDBACK in wanted:
            kinds.append(Arrival.Kind.FEEDBACK)
        conditions = ["(a.kind = ANY(%(kinds)s) OR (a.kind = 'change' AND a.what LIKE ANY(%(starts)s)))"]
        values: dict[str, Any] = {"kinds": [str(kind) for kind in kinds], "starts": [f"{start}%" for start in starts]}
        if self.project_id is not None:
            conditions.append("a.project_id = %(project)s")
            values["project"] = self.project_id
        if self.workspace_id is not None:
            conditions.append(f"a.project_id = ANY(ARRAY({_PROJECTS}))")
            values["workspace"] = self.workspace_id
        if self.endpoint_ids:
            conditions.append("a.endpoint_id = ANY(%(endpoints)s)")
            values["endpoints"] = list(self.endpoint_ids)
        return " AND ".join(conditions), values


# The arrival that holds a position begins at the last `first` that is not behind it.
_FROM = "a.first >= coalesce((SELECT max(first) FROM events_arrival WHERE first <= %(after)s + 1), 0)"


def read(after: int, limit: int, filters: Filters) -> Piece:
    """The next things after the position, at most `limit`."""
    newest = head().position
    if after >= newest:
        return Piece([], after)
    condition, values = filters.sql()
    sql = f"""
      SELECT a.first + t.n - 1, a.at, a.kind, a.what, a.project_id, a.endpoint_id, t.id
        FROM events_arrival a CROSS JOIN LATERAL unnest(a.ids) WITH ORDINALITY t(id, n)
       WHERE {_FROM} AND a.first <= %(newest)s AND a.first + t.n - 1 > %(after)s AND {condition}
       ORDER BY a.first, t.n LIMIT %(limit)s
    """  # noqa: S608 - conditions of ours
    with connection.cursor() as cursor:
        cursor.execute(sql, {**values, "after": after, "newest": newest, "limit": limit})
        things = [Thing(*row) for row in cursor.fetchall()]
    return Piece(things, things[-1].position if len(things) == limit else newest)


def newest(limit: int, filters: Filters) -> list[Thing]:
    """The last things of the stream, newest first, at most `limit`."""
    condition, values = filters.sql()
    sql = f"""
      SELECT a.first + t.n - 1, a.at, a.kind, a.what, a.project_id, a.endpoint_id, t.id
        FROM events_arrival a CROSS JOIN LATERAL unnest(a.ids) WITH ORDINALITY t(id, n)
       WHERE a.first IS NOT NULL AND {condition} ORDER BY a.first DESC, t.n DESC LIMIT %(limit)s
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, {**values, "limit": limit})
        return [Thing(*row) for row in cursor.fetchall()]


def backlog(after: int, filters: Filters) -> tuple[int, datetime | None]:
    """How many things wait after the position, and when the first of them was stored."""
    condition, values = filters.sql()
    sql = f"""
      SELECT coalesce(sum(a.size - greatest(%(after)s + 1 - a.first, 0)), 0), min(a.at)
        FROM events_arrival a
       WHERE {_FROM} AND a.first IS NOT NULL AND a.first + a.size - 1 > %(after)s AND {condition}
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, {**values, "after": after})
        count, oldest = cursor.fetchone()
    return int(count), oldest
