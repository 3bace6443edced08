"""Writes of this room."""

from models.approvals.checks import record_check

__all__ = ["record_check"]
