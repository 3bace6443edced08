"""The token that a session speaks with: to Git, to MLflow, and to the platform. Each start has one; it dies with it."""

from __future__ import annotations

import secrets

from modelwright.core.crypto import new_token

PREFIX = "mws"
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def new_session_token() -> str:
    """A new random token; only its digest is kept."""
    return new_token(PREFIX)


def new_key() -> str:
    """A new random name for an address; it holds what a label of a host name may hold."""
    return "s" + "".join(secrets.choice(_LETTERS) for _ in range(20))
