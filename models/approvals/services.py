"""Writes of this room."""

from models.approvals.checks import record_check
from models.approvals.promotions import approve, refuse, request_promotion, revoke, withdraw

__all__ = ["approve", "record_check", "refuse", "request_promotion", "revoke", "withdraw"]
