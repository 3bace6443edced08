"""Which requests on record are asked again: the newest that somebody waited for and that are whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models.endpoints.models import Endpoint, EndpointKey
from models.gateway.signature import Frame, FreeSignature, Invalid, Signature, compile_signature
from models.predictions.models import Prediction
from models.predictions.redacted import redacted_columns
from models.registry.mlmodel import served_signature
from models.registry.models import ModelVersion

MOST_ROWS = 20_000
MOST_BYTES = 12 * 1024 * 1024
_PIECE = 500
_FIELDS = ("id", "model_version_id", "inputs", "outputs", "rows")


@dataclass(slots=True)
class Taken:
    """A request to ask again. `frame` is None where it does not fit the candidate's signature; `refused` says why."""

    prediction_id: UUID
    version_id: UUID
    inputs: list[Any]
    frame: Frame | None
    refused: str


@dataclass
class Gathered:
    """The requests, the newest first, and what of the record was left out: by reason, how many predictions."""

    requests: list[Taken] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    redacted: set[str] = field(default_factory=set)
    rows: int = 0
    limit: str = ""

    def answered_by(self) -> Counter[UUID]:
        """How many of the requests each version answered."""
        return Counter(request.version_id for request in self.requests)


def gather(endpoint: Endpoint, candidate: ModelVersion, wanted: int) -> Gathered:
    """The newest `wanted` requests that clients got an answer to from another version than the candidate.

    Answers of shadows, fallbacks, graphs, batch jobs and the page Try are passed over, and so is what holds redacted
    values. It stops early at 20,000 records and at 12 MiB of input, and says so in `limit`.
    """
    signature = compile_signature(served_signature(candidate.signature))
    found, size = Gathered(), 0
    for prediction in _newest(endpoint, candidate, wanted):
        if len(found.requests) >= wanted:
            break
        inputs = prediction.inputs
        if hidden := redacted_columns(inputs):
            found.left_out["redacted"] += 1
            found.redacted.update(hidden)
            continue
        if not isinstance(inputs, list) or len(inputs) != len(prediction.outputs) or not inputs:
            found.left_out["not whole"] += 1
            continue
        frame, refused = fitted(signature, inputs)
        size += _sent_bytes(inputs if frame is None else [list(row) for row in frame.rows])
        if size > MOST_BYTES or found.rows + len(inputs) > MOST_ROWS:
            found.limit = f"{MOST_ROWS:,} records" if size <= MOST_BYTES else f"{MOST_BYTES // 1024**2} MiB of input"
            break
        found.requests.append(Taken(prediction.pk, prediction.model_version_id, inputs, frame, refused))
        found.rows += len(inputs)
    return found


def fitted(signature: Signature | FreeSignature, inputs: list[Any]) -> tuple[Frame | None, str]:
    """The request as a replica would get it, or why the gateway would refuse it."""
    try:
        return signature.check(inputs), ""
    except Invalid as error:
        first = error.errors[0]
        return None, f"{first['field']}: {first['message']} {first['remedy']}"[:500]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return None, f"The recorded input cannot be read: {error}"[:500]


def _sent_bytes(rows: list[Any]) -> int:
    """What they take in a workload's description: a text of JSON within JSON, in which a quote alone takes four bytes.

    The keeper of a host with containers takes no message above 16 MiB.
    """
    return len(json.dumps(json.dumps(rows)))


def _newest(endpoint: Endpoint, candidate: ModelVersion, wanted: int) -> Iterator[Prediction]:
    """Predictions from the newest back, in pieces, at most five times as many as wanted and a thousand more."""
    asked = Prediction.objects.filter(
        endpoint_id=endpoint.pk,
        status=200,
        role__in=("live", "canary"),
        fallback="",
        shadow_of=None,
        nodes__isnull=True,
    )
    # What people try on the platform's own page is not what clients send.
    own = list(EndpointKey.objects.filter(endpoint=endpoint, is_internal=True).values_list("pk", flat=True))
    asked = (
        asked.exclude(protocol="batch")
        .exclude(key_id__in=own)
        .exclude(model_version_id=candidate.pk)
        .order_by("-id")
        .only(*_FIELDS)
    )
    left, before = 5 * wanted + 1000, None
    while left > 0:
        piece = list((asked if before is None else asked.filter(id__lt=before))[: min(_PIECE, left)])
        yield from piece
        if len(piece) < _PIECE:
            return
        left, before = left - len(piece), piece[-1].pk


def shaped(frames: list[Frame]) -> dict[str, Any]:
    """What `modelwright_runtime.replaying` reads."""
    shapes: dict[tuple[str, ...], int] = {}
    requests = [[shapes.setdefault(frame.columns, len(shapes)), [list(row) for row in frame.rows]] for frame in frames]
    return {"shapes": [list(columns) for columns in shapes], "requests": requests}
