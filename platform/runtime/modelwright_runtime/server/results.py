"""What a model returned for a batch, as one JSON value per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class WrongLength(Exception):
    """The model did not return one prediction per row."""


class Outcome(NamedTuple):
    """Predictions of a batch in row order; `probabilities[i][j]` belongs to row i and `classes[j]`, and is None where
    the model has none for that row."""

    predictions: list[Any]
    classes: list[Any] | None = None
    probabilities: Sequence[Sequence[float | None]] | None = None

    def check(self, rows: int) -> None:
        """Raises `WrongLength` where this is not one prediction for each of so many rows: a part would be of others."""
        for what, values in (("predictions", self.predictions), ("lists of probabilities", self.probabilities)):
            if values is not None and len(values) != rows:
                raise WrongLength(f"the model gave {len(values)} {what} for {rows} rows; it must give one per row")

    def part(self, start: int, end: int) -> dict[str, Any]:
        """The payload of an answer for rows `start` to `end`."""
        payload: dict[str, Any] = {"predictions": self.predictions[start:end]}
        if self.probabilities is not None:
            payload["classes"] = self.classes
            payload["probabilities"] = self.probabilities[start:end]
        return payload


def as_list(returned: Any, rows: int) -> list[Any]:
    """One JSON value per row, in row order. Raises `WrongLength`.

    A DataFrame and a dict of arrays give a mapping per row, a tuple of arrays (a model with several outputs) a list
    per row, an array, a Series or a list the item of the row.
    """
    values = _values(returned)
    if not isinstance(values, list) or len(values) != rows:
        size = len(values) if isinstance(values, list) else "no list of"
        raise WrongLength(f"the model returned {size} predictions for {rows} rows; it must return one per row")
    return values


def _values(returned: Any) -> Any:
    if hasattr(returned, "to_dict") and hasattr(returned, "columns"):
        return returned.to_dict("records")
    if isinstance(returned, dict):
        names = [str(name) for name in returned]
        parts = _side_by_side(list(returned.values()), [f"output {name!r}" for name in names])
        return [dict(zip(names, cells, strict=True)) for cells in parts]
    if isinstance(returned, tuple) and returned and all(getattr(part, "ndim", 0) for part in returned):
        return [list(cells) for cells in _side_by_side(returned, [f"output {i}" for i in range(len(returned))])]
    if hasattr(returned, "toarray"):
        return returned.toarray().tolist()
    if hasattr(returned, "tolist"):
        return returned.tolist()
    return returned if isinstance(returned, list) else list(returned)


def _side_by_side(parts: Sequence[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """The parts' items row by row. Raises `WrongLength` when one has more rows than another."""
    lists = [_values(part) if not isinstance(part, (str, bytes)) else [part] for part in parts]
    lengths = {name: len(part) for name, part in zip(names, lists, strict=True)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in list(lengths.items())[:6])
        raise WrongLength(f"the outputs differ in their number of rows: {told}; each must have one item per row")
    return list(zip(*lists, strict=True))
