"""What a model returned for a batch, as one JSON value per row."""

from __future__ import annotations

from typing import Any, NamedTuple


class WrongLength(Exception):
    """The model did not return one prediction per row."""


class Outcome(NamedTuple):
    """Predictions of a batch in row order; `probabilities[i][j]` belongs to row i and `classes[j]`."""

    predictions: list[Any]
    classes: list[Any] | None = None
    probabilities: list[list[float]] | None = None

    def part(self, start: int, end: int) -> dict[str, Any]:
        """The payload of an answer for rows `start` to `end`."""
        payload: dict[str, Any] = {"predictions": self.predictions[start:end]}
        if self.probabilities is not None:
            payload["classes"] = self.classes
            payload["probabilities"] = self.probabilities[start:end]
        return payload


def as_list(returned: Any, rows: int) -> list[Any]:
    """One value per row, from an array, a Series, a DataFrame (a mapping per row) or a list. Raises `WrongLength`."""
    if hasattr(returned, "to_dict") and hasattr(returned, "columns"):
        values = returned.to_dict("records")
    elif hasattr(returned, "tolist"):
        values = returned.tolist()
    elif hasattr(returned, "toarray"):
        values = returned.toarray().tolist()
    else:
        values = returned if isinstance(returned, list) else list(returned)
    if not isinstance(values, list) or len(values) != rows:
        size = len(values) if isinstance(values, list) else "no list of"
        raise WrongLength(f"the model returned {size} predictions for {rows} rows; it must return one per row")
    return values
