"""Rows with what came of them, which are stored together or, where that is too much at once, in halves."""

from __future__ import annotations

from typing import Any, NamedTuple

from .files import Chunk
from .predicting import Scored


class Piece(NamedTuple):
    """`before` is how many rows of the input precede these. A row that did not fit has no record."""

    before: int
    chunk: Chunk
    records: list[list[Any] | None]
    scored: Scored
    seconds: float

    def halves(self) -> tuple[Piece, Piece]:
        """The first and the second half of its rows, which are two at least."""
        rows = len(self.records)
        return self._cut(0, rows // 2), self._cut(rows // 2, rows)

    def _cut(self, start: int, end: int) -> Piece:
        return Piece(
            self.before + start,
            self.chunk.part(start, end),
            self.records[start:end],
            self.scored.part(start, end),
            self.seconds * (end - start) / len(self.records),
        )
