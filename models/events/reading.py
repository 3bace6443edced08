"""Things of the stream after a position, and the rows that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Model

from models.endpoints.models import Endpoint
from models.events.models import Arrival, Family
from models.events.ordering import head
from models.predictions.models import Feedback, Prediction
from modelwright.audit.models import AuditEvent

# Beginnings of the actions that are events, by family.
ACTIONS: Mapping[str, tuple[str, ...]] = {
    Family.DEPLOYMENT: ("deployment.", "rollback.", "endpoint."),
    Family.ROLLOUT: ("rollout.",),
    Family.APPROVAL: ("promotion.", "approval-policy.", "model-check.", "model-card.", "model-alias."),
    Family.MODEL: ("model.", "model-version.", "model-tests."),
    Family.ALERT: ("alert", "availability", "drill", "replay"),
}
EVERYTHING = frozenset(Family.values)


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
    """Which things: of one project (None: of all), of some endpoints (empty: of all), of some families."""

    project_id: UUID | None = None
    endpoint_ids: Sequence[UUID] = ()
    families: Iterable[str] = field(default=EVERYTHING)

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


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of things. What was deleted meanwhile is missing."""

    predictions: Mapping[UUID, Prediction]
    feedback: Mapping[UUID, Feedback]
    changes: Mapping[UUID, AuditEvent]
    # `<workspace>/<endpoint>` by id.
    paths: Mapping[UUID, str]

    def of(self, thing: Thing) -> Prediction | Feedback | AuditEvent | None:
        """The thing's row, None where it is gone."""
        if thing.kind == Arrival.Kind.PREDICTION:
            return self.predictions.get(thing.id)
        if thing.kind == Arrival.Kind.FEEDBACK:
            return self.feedback.get(thing.id)
        return self.changes.get(thing.id)


def load(things: Sequence[Thing]) -> Rows:
    """The rows of the things, each table asked once."""
    by_kind: dict[str, list[UUID]] = {kind: [] for kind in Arrival.Kind.values}
    for thing in things:
        by_kind[thing.kind].append(thing.id)
    endpoint_ids = {thing.endpoint_id for thing in things if thing.endpoint_id is not None}
    endpoints = Endpoint.objects.filter(pk__in=endpoint_ids).select_related("workspace") if endpoint_ids else []
    return Rows(
        _load(Prediction, by_kind[Arrival.Kind.PREDICTION]),
        _load(Feedback, by_kind[Arrival.Kind.FEEDBACK]),
        _load(AuditEvent, by_kind[Arrival.Kind.CHANGE]),
        {endpoint.pk: endpoint.path for endpoint in endpoints},
    )


def _load(model: type[Any], ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Rows by id. Between the first and the last: days of the table of predictions that have none are not asked."""
    if not ids:
        return {}
    found: Iterable[Model] = model.objects.filter(pk__in=ids, pk__gte=min(ids), pk__lte=max(ids))
    return {row.pk: row for row in found}
