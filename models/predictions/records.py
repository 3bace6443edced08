"""Rows from the records of a spool, as lines for COPY. Whatever a gateway has acknowledged must fit, in one form or
another. This is the shipper's inner loop: it does little for each record, and looks nothing up."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import orjson

# The columns of a line. What stands between `at` and `inputs` depends on the ids alone and is made once (names.py).
NAMED = (
    *("project_id", "endpoint_id", "deployment_id", "model_version_id", "key_id"),
    *("endpoint_name", "deployment_number", "model_name", "version_number", "key_name"),
)
COLUMNS = (
    *("id", "at", *NAMED, "inputs", "outputs", "probabilities", "latency_ms"),
    *("protocol", "served_by", "status", "error", "trace_id", "rows"),
)
NULL = b"\\N"
UNSTORABLE = b'[{"unstorable": true}]'

# Ids of what a record names: endpoint, deployment, version, key.
Ids = tuple[str, str, str, str]
Record = dict[str, Any]

_HEX = re.compile(r"[0-9a-f]{32}")
_LINE = b"%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\n"
_fromtimestamp = datetime.datetime.fromtimestamp


class Row(NamedTuple):
    """A record ready to be stored: its line, and what is counted of it. Ids are 32 hex digits or have hyphens."""

    id: str
    minute: int
    endpoint_id: str
    deployment_id: str
    model_version_id: str
    rows: int
    failed: bool
    latency_ms: float
    line: bytes


def ids_of(record: Record) -> Ids:
    """What the record names. Raises KeyError."""
    return record["endpoint_id"], record["deployment_id"], record["model_version_id"], record.get("key_id") or ""


def row_of(record: Record, named: Callable[[Ids], bytes], *, with_values: bool = True) -> Row:
    """The row of a record; `named` gives the columns `NAMED` of its ids. Without values where PostgreSQL cannot store
    them. Raises KeyError, TypeError, ValueError, OverflowError for what is no prediction."""
    ids = ids_of(record)
    id_, at, inputs, latency = record["id"], record["at"], record["inputs"], float(record["latency_ms"])
    if not _HEX.fullmatch(id_):
        id_ = UUID(id_).hex
    status = record.get("status", 200)
    error, probabilities = record.get("error"), record.get("probabilities")
    count = len(inputs) if isinstance(inputs, list) else 1
    line = _LINE % (
        id_.encode(),
        _fromtimestamp(at, datetime.UTC).isoformat().encode(),
        named(ids),
        json_field(inputs) if with_values else UNSTORABLE,
        json_field(record["outputs"]) if with_values else UNSTORABLE,
        json_field(probabilities) if with_values and probabilities is not None else NULL,
        repr(latency).encode(),
        text_field(record.get("protocol", "own")[:16]),
        text_field(record.get("served_by", "original")[:80]),
        b"%d" % status,
        json_field(error) if with_values and error is not None else NULL,
        text_field((record.get("trace_id") or "")[:32]),
        b"%d" % count,
    )
    return Row(id_, int(at // 60), ids[0], ids[1], ids[2], count, status != 200, latency, line)


def json_field(value: Any) -> bytes:
    """JSON as COPY reads it. PostgreSQL knows no character U+0000, which becomes U+FFFD.

    Of what COPY treats specially JSON holds only the backslash: it escapes control characters itself.
    """
    text = orjson.dumps(value)
    if b"\\" not in text:
        return text
    if b"\\u0000" in text:
        text = orjson.dumps(_without_nul(value))
    return text.replace(b"\\", b"\\\\")


def text_field(text: str) -> bytes:
    """Text as COPY reads it."""
    if text.isalnum():
        return text.encode()
    text = text.replace("\0", "\ufffd").replace("\\", "\\\\")
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").encode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value
