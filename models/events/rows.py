"""The rows that things of the stream are of, within a budget of memory.

A record may have 128 MiB, and what is read takes many times as much. So PostgreSQL says first how large the values are,
once for each row, and what is too large stays there: its event says where to find it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Model

from models.endpoints.models import Endpoint
from models.events.models import Arrival
from models.events.reading import Piece, Thing
from models.predictions.models import Feedback, Prediction
from modelwright.audit.models import AuditEvent

# Values above the one are not read at all, and a piece of the stream holds no more than the other.
VALUES_BYTES = 512 * 1024
PIECE_BYTES = 4 * 1024 * 1024
# As it is stored JSON takes at most four times as many bytes as its text, and mostly fewer. So what takes that many is
# too large, and need not be made a text to see it.
_STORED_BYTES = 8 * VALUES_BYTES


class _Table(NamedTuple):
    """Where the things of one kind are, and which of their columns people fill."""

    model: type[Model]
    name: str
    values: tuple[str, ...]


_TABLES: Mapping[str, _Table] = {
    Arrival.Kind.PREDICTION: _Table(
        Prediction, "predictions_prediction", ("inputs", "outputs", "probabilities", "nodes")
    ),
    Arrival.Kind.FEEDBACK: _Table(Feedback, "predictions_feedback", ("truth", "response")),
    Arrival.Kind.CHANGE: _Table(AuditEvent, "audit_auditevent", ("before", "after", "reason")),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of things. What was deleted meanwhile is missing."""

    by_kind: Mapping[str, Mapping[UUID, Any]]
    # `<workspace>/<endpoint>` by id.
    paths: Mapping[UUID, str]
    # Rows whose values were left in the database.
    large: frozenset[UUID] = frozenset()

    def of(self, thing: Thing) -> Prediction | Feedback | AuditEvent | None:
        """The thing's row, None where it is gone."""
        row: Prediction | Feedback | AuditEvent | None = self.by_kind[thing.kind].get(thing.id)
        return row


class Loaded(NamedTuple):
    """Things in order with their rows, and the position up to which there are no others that were asked for."""

    things: list[Thing]
    end: int
    rows: Rows


def load(piece: Piece, most: int = PIECE_BYTES) -> Loaded:
    """The piece with its rows, cut where their values would be more than `most` bytes; one thing is always left."""
    sizes = {id_: size for kind, ids in _ids(piece.things).items() for id_, size in _sizes(kind, ids)}
    large = frozenset(id_ for id_, size in sizes.items() if size > VALUES_BYTES)
    things, end, total = piece.things, piece.end, 0
    for number, thing in enumerate(piece.things):
        total += 0 if thing.id in large else sizes.get(thing.id, 0)
        if number and total > most:
            things, end = piece.things[:number], thing.position - 1
            break
    return Loaded(things, end, _rows(things, large))


def load_without_values(things: Sequence[Thing]) -> Rows:
    """The rows of the things; whatever people filled stays where it is."""
    return _rows(things, frozenset(thing.id for thing in things))


def _rows(things: Sequence[Thing], large: frozenset[UUID]) -> Rows:
    found = {kind: _fetch(_TABLES[kind], ids, large) for kind, ids in _ids(things).items()}
    endpoint_ids = {thing.endpoint_id for thing in things if thing.endpoint_id is not None}
    endpoints = Endpoint.objects.filter(pk__in=endpoint_ids).select_related("workspace") if endpoint_ids else []
    return Rows(found, {endpoint.pk: endpoint.path for endpoint in endpoints}, large)


def _ids(things: Sequence[Thing]) -> dict[str, list[UUID]]:
    by_kind: dict[str, list[UUID]] = {kind: [] for kind in Arrival.Kind.values}
    for thing in things:
        by_kind[thing.kind].append(thing.id)
    return by_kind


def _sizes(kind: str, ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
    """How many bytes the values of each row have as text; of what is very large, as it is stored."""
    if not ids:
        return []
    table = _TABLES[kind]
    stored = " + ".join(f"coalesce(pg_column_size({name}), 0)" for name in table.values)
    written = " + ".join(f"coalesce(octet_length({name}::text), 0)" for name in table.values)
    sql = f"""
      SELECT id, CASE WHEN {stored} > {_STORED_BYTES} THEN {stored} ELSE {written} END
        FROM {table.name} WHERE id = ANY(%(ids)s) AND id BETWEEN %(first)s AND %(last)s
    """  # noqa: S608 - names of ours
    with connection.cursor() as cursor:
        cursor.execute(sql, {"ids": list(ids), "first": min(ids), "last": max(ids)})
        found: list[tuple[UUID, int]] = cursor.fetchall()
    return found


def _fetch(table: _Table, ids: Sequence[UUID], large: frozenset[UUID]) -> dict[UUID, Any]:
    """Rows by id, the large ones without their values."""
    rows: Any = table.model._default_manager
    whole = _some(rows, [id_ for id_ in ids if id_ not in large])
    return {**whole, **_some(rows.defer(*table.values), [id_ for id_ in ids if id_ in large])}


def _some(rows: Any, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Between the first and the last: days of the table of predictions that have none are not asked."""
    if not ids:
        return {}
    found: Iterable[Model] = rows.filter(pk__in=ids, pk__gte=min(ids), pk__lte=max(ids))
    return {row.pk: row for row in found}
