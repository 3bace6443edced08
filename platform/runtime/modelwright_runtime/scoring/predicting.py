"""Predicts the rows of a chunk. One that the model cannot take fails alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from .errors import ScoringError
from .limits import MAX_DEPTH, is_deep

# When the model fails on so many rows of one chunk, one by one, it is the model and not the rows.
MOST_FAILURES = 200
_MESSAGE_CHARACTERS = 500
T = TypeVar("T")


class Model(Protocol):
    """What predicts: `server.loading.LoadedModel`."""

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any: ...


@dataclass
class Scored:
    """By the row's place in the chunk: predictions, probabilities in the order of `classes`, and errors."""

    predictions: dict[int, Any] = field(default_factory=dict)
    probabilities: dict[int, list[float]] = field(default_factory=dict)
    errors: dict[int, tuple[str, str]] = field(default_factory=dict)
    classes: list[Any] | None = None

    def part(self, start: int, end: int) -> Scored:
        """The same of the places from `start` to before `end`, counted from there."""

        def of(values: dict[int, T]) -> dict[int, T]:
            return {place - start: value for place, value in values.items() if start <= place < end}

        return Scored(of(self.predictions), of(self.probabilities), of(self.errors), self.classes)


def predict(
    model: Model,
    columns: Sequence[str],
    rows: Sequence[tuple[int, list[Any]]],
    scored: Scored,
    *,
    is_quiet: bool = False,
) -> None:
    """Add what the model says of `rows`, each with its place in the chunk. `is_quiet` leaves out its words about those
    that it cannot take, which may repeat their values. Raises `ScoringError`."""
    if not rows:
        return
    try:
        outcome = model.predict(columns, [row for _, row in rows])
        outcome.check(len(rows))
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # a model may even call sys.exit(), and the other rows are to be predicted
        said = "its words may repeat values that are redacted" if is_quiet else f"{type(error).__name__}: {error}"
        _fail(model, columns, rows, scored, said[:_MESSAGE_CHARACTERS], is_quiet)
        return
    scored.predictions.update(zip((place for place, _ in rows), outcome.predictions, strict=True))
    if outcome.probabilities is not None:
        scored.classes = outcome.classes
        scored.probabilities.update(zip((place for place, _ in rows), outcome.probabilities, strict=True))
    for place, _ in rows:
        if is_deep(scored.predictions[place]):
            del scored.predictions[place]
            scored.probabilities.pop(place, None)
            scored.errors[place] = ("model_error", f"The model's answer is nested deeper than {MAX_DEPTH} levels.")


def _fail(
    model: Model,
    columns: Sequence[str],
    rows: Sequence[tuple[int, list[Any]]],
    scored: Scored,
    message: str,
    is_quiet: bool,
) -> None:
    if len(rows) > 1:
        middle = len(rows) // 2
        predict(model, columns, rows[:middle], scored, is_quiet=is_quiet)
        predict(model, columns, rows[middle:], scored, is_quiet=is_quiet)
        return
    scored.errors[rows[0][0]] = ("model_error", f"The model could not predict this row: {message}")
    if sum(code == "model_error" for code, _ in scored.errors.values()) > MOST_FAILURES:
        raise ScoringError(
            f"The model failed on more than {MOST_FAILURES} rows of one chunk, the last time with {message}",
            "See whether the input is what the model was trained on, and whether its environment is the right one.",
        )
