"""The token that a scoring process speaks with. It is for one job, and dies with each of its attempts."""

from __future__ import annotations

from modelwright.core.crypto import new_token

PREFIX = "mwb"


def new_scoring_token() -> str:
    """A new random token; only its digest is kept."""
    return new_token(PREFIX)
