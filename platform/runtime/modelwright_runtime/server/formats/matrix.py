"""One matrix of numbers for models that take no names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class MatrixBuilder:
    """Builds a float64 array of rows by columns, in the signature's order; a missing number is NaN."""

    def __init__(self, order: Sequence[str]) -> None:
        import numpy

        self._numpy = numpy
        self._order = tuple(order)

    def build(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        """Raises `ValueError` when a column is missing or unknown, or a value is no number."""
        if tuple(columns) != self._order:
            if set(columns) != set(self._order) or len(columns) != len(self._order):
                wanted = ", ".join(self._order[:40])
                raise ValueError(f"the model takes the columns {wanted}; it got {', '.join(columns)}")
            places = [list(columns).index(name) for name in self._order]
            rows = [[row[place] for place in places] for row in rows]
        return self._numpy.array(rows, dtype=self._numpy.float64)
