"""Calls of a model whose signature MLflow enforces, each of rows that are treated alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .columns import Column, FrameBuilder

_WHOLE = frozenset({"integer", "long"})


class Part(NamedTuple):
    """Rows of a batch that make one call, and their places in the batch."""

    frame: Any
    places: list[int]


class Parts(list[Part]):
    """A batch that takes several calls."""


class EnforcedBuilder:
    """Builds a DataFrame, or `Parts` where rows beside each other would change each other's dtypes.

    A whole number that is missing would make the column one of floats, which MLflow refuses for all of its rows; it
    takes rows without the column. A missing truth value makes the column one of objects. So rows with and without such
    a value go apart.
    """

    def __init__(self, signature: Sequence[Column]) -> None:
        self._frames = FrameBuilder(signature, enforced=True)
        self._unnamed = bool(signature) and all(column.unnamed for column in signature)
        optional = [column for column in signature if not column.required]
        self._left_out = frozenset(column.name for column in optional if column.type in _WHOLE)
        self._apart = self._left_out | {column.name for column in optional if column.type == "boolean"}

    def build(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        """As a `FrameBuilder` does."""
        looked_at = [index for index, name in enumerate(columns) if name in self._apart]
        if not any(row[index] is None for index in looked_at for row in rows):
            frame = self._frames.build(columns, rows)
            if self._unnamed:  # a table made of lists, as mlflow makes it, has numbers for names
                frame.columns = range(frame.shape[1])
            return frame
        groups: dict[tuple[int, ...], list[int]] = {}
        for place, row in enumerate(rows):
            missing = tuple(index for index in looked_at if row[index] is None)
            groups.setdefault(missing, []).append(place)
        parts = Parts(
            Part(self._without(missing, columns, [rows[place] for place in places]), places)
            for missing, places in groups.items()
        )
        return parts[0].frame if len(parts) == 1 else parts

    def _without(self, missing: Sequence[int], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        left_out = {index for index in missing if columns[index] in self._left_out}
        kept = [index for index in range(len(columns)) if index not in left_out]
        return self._frames.build([columns[index] for index in kept], [[row[index] for index in kept] for row in rows])
