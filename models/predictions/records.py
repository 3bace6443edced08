"""Rows from the records of a spool, as lines for COPY. Whatever a gateway has acknowledged must fit, in one form or
another. This is the shipper's inner loop: it does little for each record, and looks nothing up."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from functools import lru_cache
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
    *("role", "assignment", "shadow_of", "fallback", "nodes"),
)
NULL = b"\\N"
ROLES = ("live", "canary", "shadow", "fallback", "node")
# Of what the gateway says nothing besides: most records.
PLAIN = b"\t".join((b"live", NULL, NULL, b"", NULL))
YEAR_10000 = 253_402_300_800
UNSTORABLE = b'[{"unstorable": true}]'

# Ids of what a record names: endpoint, deployment, version, key.
Ids = tuple[str, str, str, str]
Record = dict[str, Any]

_INPUTS = re.compile(rb',"inputs_size":(\d{1,9}),"inputs":')
_HEX, _TAB = "0123456789abcdef", b"\t"


class Meant(NamedTuple):
    """The version that a fallback answered for, and the role in which it was asked."""

    model_version_id: str
    role: str


class Row(NamedTuple):
    """A record ready to be stored: its line, without the line's end, and what is counted of it. Ids are 32 hex digits
    or have hyphens. `meant` is set where another version answered than was meant to."""

    id: str
    minute: int
    endpoint_id: str
    deployment_id: str
    model_version_id: str
    rows: int
    failed: bool
    latency_ms: float
    line: bytes
    role: str = "live"
    is_fallback: bool = False
    meant: Meant | None = None


def ids_of(record: Record) -> Ids:
    """What the record names. Raises KeyError."""
    return record["endpoint_id"], record["deployment_id"], record["model_version_id"], record.get("key_id") or ""


def decode(body: bytes) -> Record:
    """The record in a body of the spool. Its inputs stay the JSON that they are, as bytes, where the gateway said how
    long that is: most of a record is inputs, and PostgreSQL will read them anyway. Raises ValueError."""
    found = _INPUTS.search(body)
    # Before the gateway's own words nothing is nested; the same words in somebody's values are preceded by a bracket.
    if found is None or body.find(b"{", 1, found.start()) > 0 or body.find(b"[", 1, found.start()) > 0:
        record: Record = orjson.loads(body)
        return record
    begin, end = found.end(), found.end() + int(found[1])
    inputs = body[begin:end]
    if body[end : end + 1] != b"," or b"\\u0000" in inputs:
        record = orjson.loads(body)
        return record
    record = orjson.loads(body[: found.start()] + body[end:])
    record["inputs"] = inputs
    return record


def row_of(record: Record, named: Callable[[Ids], bytes], *, with_values: bool = True) -> Row:
    """The row of a record; `named` gives the columns `NAMED` of its ids. Without values where PostgreSQL cannot store
    them. Raises KeyError, TypeError, ValueError, OverflowError for what is no prediction."""
    ids = ids_of(record)
    id_, at, inputs, latency = record["id"], record["at"], record["inputs"], float(record["latency_ms"])
    if len(id_) != 32 or id_.strip(_HEX):
        id_ = UUID(id_).hex
    get = record.get
    if not 0 <= at < YEAR_10000 or not 0 <= get("status", 200) < 1000:
        raise ValueError("its time or its status is none")
    status, error, probabilities = get("status", 200), get("error"), get("probabilities")
    trace_id = get("trace_id")
    if isinstance(inputs, bytes):
        count, inputs_field = record["rows"], inputs.replace(b"\\", b"\\\\")
    else:
        count, inputs_field = len(inputs) if isinstance(inputs, list) else 1, json_field(inputs)
    line = _TAB.join(
        (
            id_.encode(),
            _time_field(at),
            named(ids),
            inputs_field if with_values else UNSTORABLE,
            json_field(record["outputs"]) if with_values else UNSTORABLE,
            NULL if probabilities is None or not with_values else json_field(probabilities),
            repr(latency).encode(),
            _word_field(get("protocol", "own"), 16),
            _word_field(get("served_by", "original"), 80),
            b"%d" % status,
            NULL if error is None or not with_values else json_field(error),
            b"" if not trace_id else text_field(trace_id[:32]),
            b"%d" % count,
            PLAIN if "role" not in record else _told(record, with_values=with_values),
        )
    )
    row = Row(id_, int(at // 60), ids[0], ids[1], ids[2], count, status != 200, latency, line)
    return row if "role" not in record else row._replace(**_counted(record))


def _told(record: Record, *, with_values: bool) -> bytes:
    """The last columns of a record that says in which role its version was asked, and why."""
    assignment, nodes, shadow_of = record.get("assignment"), record.get("nodes"), record.get("shadow_of")
    return _TAB.join(
        (
            _role(record["role"]).encode(),
            NULL if assignment is None else json_field(assignment),
            NULL if shadow_of is None else UUID(shadow_of).hex.encode(),
            text_field(str(record.get("fallback") or "")[:200]),
            NULL if nodes is None or not with_values else json_field(nodes),
        )
    )


def _counted(record: Record) -> dict[str, Any]:
    assignment = record.get("assignment") or {}
    instead_of = assignment.get("instead_of")
    meant = Meant(str(UUID(instead_of)), _role(assignment.get("in_role", "live"))) if instead_of else None
    return {"role": record["role"], "is_fallback": bool(record.get("fallback")), "meant": meant}


def _role(role: Any) -> str:
    if role not in ROLES:
        raise ValueError("its role is none")
    return str(role)


def _time_field(at: float) -> bytes:
    """A moment as PostgreSQL reads it, to the microsecond."""
    second = int(at)
    return b"%b.%06d+00" % (_second(second), int((at - second) * 1_000_000))


@lru_cache(maxsize=256)
def _second(second: int) -> bytes:
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S").encode()


@lru_cache(maxsize=1024)
def _word_field(text: str, longest: int) -> bytes:
    """One of few words."""
    return text_field(text[:longest])


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
