"""Why a batch job cannot go on, in words for a person."""

from __future__ import annotations


class ScoringError(Exception):
    """`message` says what happened and why, `remedy` what to do next."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
