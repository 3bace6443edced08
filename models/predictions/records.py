"""Rows from the records of a spool. Whatever a gateway has acknowledged must fit, in one form or another."""

from __future__ import annotations

import datetime
import json
from typing import Any
from uuid import UUID

Row = tuple[Any, ...]
COLUMNS = (
    *("id", "at", "endpoint_id", "deployment_id", "model_version_id", "key_id"),
    *("inputs", "outputs", "probabilities", "latency_ms"),
)


def row_of(record: dict[str, Any]) -> Row:
    """The columns of a record, JSON as text."""
    probabilities = record.get("probabilities")
    return (
        UUID(record["id"]),
        datetime.datetime.fromtimestamp(float(record["at"]), datetime.UTC),
        UUID(record["endpoint_id"]),
        UUID(record["deployment_id"]),
        UUID(record["model_version_id"]),
        _uuid(record.get("key_id")),
        json_text(record["inputs"]),
        json_text(record["outputs"]),
        None if probabilities is None else json_text(probabilities),
        float(record["latency_ms"]),
    )


def json_text(value: Any) -> str:
    """JSON that PostgreSQL stores: it knows no character U+0000, which becomes U+FFFD."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "\\u0000" in text:
        text = json.dumps(_without_nul(value), ensure_ascii=False, separators=(",", ":"))
    return text


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
