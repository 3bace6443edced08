"""The token that a run tracks with. It dies with the run."""

from __future__ import annotations

from modelwright.core.crypto import new_token

RUN_TOKEN_PREFIX = "mwr"  # noqa: S105 - the public prefix that every such token starts with


def new_run_token() -> str:
    """A new random run token; only its digest is kept."""
    return new_token(RUN_TOKEN_PREFIX)
