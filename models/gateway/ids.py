"""Prediction ids."""

from __future__ import annotations

from modelwright.core.ids import new_id, new_ids_hex


def new_prediction_id() -> str:
    """A new id as 32 hex digits: sorts by time, and PostgreSQL reads it as a uuid."""
    return new_id().hex


def new_prediction_ids(count: int) -> list[str]:
    """So many at once, ascending."""
    return new_ids_hex(count)
