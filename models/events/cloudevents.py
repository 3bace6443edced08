"""Things of the stream as CloudEvents 1.0.

What the attributes mean is in docs/events.md. An event is the same, byte for byte, whenever it is made of the same row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings

from models.events.models import Family
from models.events.reading import ACTIONS, Thing
from models.events.rows import Rows
from models.predictions.models import Feedback, Prediction
from modelwright.audit.models import AuditEvent

PREFIX = "io.modelwright."
SINGLE_TYPE = "application/cloudevents+json; charset=utf-8"
BATCH_TYPE = "application/cloudevents-batch+json; charset=utf-8"
# What is larger comes without its data, which the event then says where to find.
MOST_BYTES = 512 * 1024
_REQUEST, _ANSWER = 0, 1
Row = Prediction | Feedback | AuditEvent


class Event(NamedTuple):
    """One CloudEvent as JSON, with its place: events of one key are in the order of `(position, part)`."""

    position: int
    part: int
    kind: str
    thing_id: UUID
    endpoint_id: UUID | None
    key: str
    id: str
    type: str
    body: bytes

    @property
    def at(self) -> datetime:
        """When, to the millisecond: its id begins with that of a row, a UUIDv7, which begins with the time."""
        return datetime.fromtimestamp(int(self.id[:12], 16) / 1000, UTC)


def events_of(thing: Thing, rows: Rows, families: Collection[str], *, with_details: bool = True) -> Iterator[Event]:
    """The events of a thing that belong to the families, in order; none where its row is gone. Without details: what
    the audit log has of a change besides who did what to which thing is left out."""
    row, key = rows.of(thing), key_of(thing, rows)
    is_large = thing.id in rows.large
    path = rows.paths.get(thing.endpoint_id, "") if thing.endpoint_id else ""
    if isinstance(row, Prediction):
        if Family.REQUEST in families:
            data = None if is_large else _request(row)
            yield _event(thing, row, _REQUEST, f"{row.pk.hex}.request", "request", key, row.at, data)
        if Family.ANSWER in families:
            data = None if is_large else _answer(row)
            yield _event(thing, row, _ANSWER, f"{row.pk.hex}.answer", "answer", key, row.at, data)
    elif isinstance(row, Feedback):
        if Family.FEEDBACK in families:
            data = None if is_large else _feedback(row, path)
            yield _event(thing, row, 0, row.pk.hex, "feedback", key, row.created_at, data)
    elif isinstance(row, AuditEvent) and family_of(row.action) in families:
        data = _details(row) if with_details and not is_large else {}
        change = None if with_details and is_large else {**_change(row, path), **data}
        yield _event(thing, row, 0, row.pk.hex, row.action, key, row.at, change)


def key_of(thing: Thing, rows: Rows) -> str:
    """Under which key a thing's events are in order, empty where its row is gone."""
    row = rows.of(thing)
    if isinstance(row, Prediction):
        return row.pk.hex
    if isinstance(row, Feedback):
        return (row.prediction_id or row.pk).hex
    return str(thing.endpoint_id or row.target_id) if row else ""


def family_of(action: str) -> str:
    """The family of an action of the audit log, empty where it is no event."""
    return next((family for family, starts in ACTIONS.items() if action.startswith(starts)), "")


def _event(
    thing: Thing, row: Row, part: int, id_: str, kind: str, key: str, time: datetime, data: dict[str, Any] | None
) -> Event:
    source = f"/endpoints/{thing.endpoint_id}" if thing.endpoint_id else f"/projects/{row.project_id}"
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": PREFIX + kind,
        "subject": key,
        "time": time.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "partitionkey": key,
        "sequence": f"{thing.position:018d}.{part}",
        "project": str(row.project_id),
    }
    body = orjson.dumps({**attributes, "data": data}) if data is not None else b""
    if data is None or len(body) > MOST_BYTES:
        body = orjson.dumps({**attributes, "dataref": _reference(thing)})
    return Event(thing.position, part, thing.kind, thing.id, thing.endpoint_id, key, id_, PREFIX + kind, body)


def _reference(thing: Thing) -> str:
    place = "predictions" if thing.kind == "prediction" else "audit-events"
    if thing.kind == "feedback":
        return f"{settings.WEB_URL}/api/v1/endpoints/{thing.endpoint_id}/feedback/"
    return f"{settings.WEB_URL}/api/v1/{place}/{thing.id}/"


def _asked(row: Prediction) -> dict[str, Any]:
    return {
        "prediction_id": row.pk.hex,
        "endpoint": row.endpoint_name,
        "endpoint_id": str(row.endpoint_id),
        "deployment": row.deployment_number,
        "deployment_id": str(row.deployment_id),
        "model": row.model_name,
        "version": row.version_number,
        "model_version_id": str(row.model_version_id),
        "key": row.key_name,
        "protocol": row.protocol,
        "role": row.role,
        "shadow_of": row.shadow_of.hex if row.shadow_of else None,
    }


def _request(row: Prediction) -> dict[str, Any]:
    return {**_asked(row), "inputs": row.inputs}


def _answer(row: Prediction) -> dict[str, Any]:
    return {
        **_asked(row),
        "status": row.status,
        "outputs": row.outputs,
        "probabilities": row.probabilities,
        "error": row.error,
        "latency_ms": row.latency_ms,
        "served_by": row.served_by,
        "assignment": row.assignment,
        "fallback": row.fallback,
        "nodes": row.nodes,
    }


def _feedback(row: Feedback, path: str) -> dict[str, Any]:
    return {
        "feedback_id": row.pk.hex,
        "prediction_id": row.prediction_id.hex if row.prediction_id else None,
        "endpoint": path,
        "endpoint_id": str(row.endpoint_id),
        "record": row.record,
        "truth": row.truth,
        "response": row.response,
        "happened_at": _moment(row.happened_at),
        "known_at": _moment(row.known_at),
        "said_by": row.created_by,
        "problem": row.problem,
    }


def _change(row: AuditEvent, path: str) -> dict[str, Any]:
    return {
        "action": row.action,
        "actor": row.actor_name,
        "actor_kind": row.actor_kind,
        "endpoint": path,
        "target": {"kind": row.target_kind, "id": row.target_id, "name": row.target_name},
    }


def _details(row: AuditEvent) -> dict[str, Any]:
    return {"reason": row.reason, "before": row.before, "after": row.after}


def _moment(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
