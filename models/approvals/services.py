"""Writes of this room."""

from models.approvals.cards import save_card
from models.approvals.checks import record_check
from models.approvals.policies import change_policy
from models.approvals.promotions import approve, refuse, request_promotion, revoke, withdraw
from models.approvals.testing import start_tests

__all__ = [
    "approve",
    "change_policy",
    "record_check",
    "refuse",
    "request_promotion",
    "revoke",
    "save_card",
    "start_tests",
    "withdraw",
]
