"""Compares the compiled model with the original, as the replica would load each."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from modelwright_runtime.server.results import Outcome

TOLERANCE = 1e-5
_CHUNK = 500


class Model(Protocol):
    """What answers rows."""

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome: ...


class Said(NamedTuple):
    """What a model said about one row; `refused` is why it did not."""

    prediction: Any = None
    probabilities: list[float] | None = None
    classes: list[Any] | None = None
    refused: str = ""


class Difference(NamedTuple):
    """The row on which the two differ most, and by how much; in words what differs."""

    row: int
    what: str
    largest: float


class Comparison(NamedTuple):
    """What came of it. `scores` is the largest difference, `labels` how many labels differ, `worst` the worst row."""

    labels: int
    scores: float
    refusals: int
    worst: Difference | None

    @property
    def is_equal(self) -> bool:
        """Labels identical, scores within the tolerance, and the same rows refused."""
        return not self.labels and not self.refusals and self.scores <= TOLERANCE


def ask(model: Model, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Said]:
    """What the model says about each row; rows that it refuses do not spoil the others."""
    found: list[Said] = []
    for start in range(0, len(rows), _CHUNK):
        found.extend(_ask(model, columns, rows[start : start + _CHUNK]))
    return found


def _ask(model: Model, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Said]:
    try:
        outcome = model.predict(columns, rows)
    except Exception as error:
        if len(rows) == 1:
            return [Said(refused=f"{type(error).__name__}: {error}"[:300] or "it refused")]
        half = len(rows) // 2
        return _ask(model, columns, rows[:half]) + _ask(model, columns, rows[half:])
    probabilities: Sequence[Any] = outcome.probabilities or [None] * len(rows)
    return [
        Said(prediction, chances, outcome.classes)
        for prediction, chances in zip(outcome.predictions, probabilities, strict=True)
    ]


def compare(original: Sequence[Said], compiled: Sequence[Said]) -> Comparison:
    """Compare row by row.

    Scores without classes are measured by their own size, or by what is usual among the original's where that is more.
    """
    usual = _usual(original)
    labels = refusals = 0
    scores, worst = 0.0, None
    for row, (wanted, got) in enumerate(zip(original, compiled, strict=True)):
        if bool(wanted.refused) != bool(got.refused):
            refusals += 1
            one, why = ("original", wanted.refused) if wanted.refused else ("compiled model", got.refused)
            worst = Difference(row, f"the {one} alone refuses the row ({why})", math.inf)
        elif not wanted.refused:
            gap, what, is_label = _gap(wanted, got, usual)
            labels += is_label
            scores = max(scores, 0.0 if is_label else gap)
            if gap > (worst.largest if worst else 0.0):
                worst = Difference(row, what, gap)
    return Comparison(labels, scores, refusals, worst)


def _usual(original: Sequence[Said]) -> float:
    """The median size of predictions that are scores, at most 1; of zeros alone, 1."""
    scores = (said.prediction for said in original if said.classes is None and _is_score(said.prediction))
    sizes = [abs(each) for score in scores for each in _listed(score) if each and math.isfinite(each)]
    return min(1.0, statistics.median(sizes)) if sizes else 1.0


def _gap(wanted: Said, got: Said, usual: float) -> tuple[float, str, bool]:
    """How far apart, in words, and whether it is a label that differs."""
    if wanted.classes != got.classes or (wanted.probabilities is None) != (got.probabilities is None):
        return math.inf, "the classes differ", True
    gap = _distance(wanted.probabilities or [], got.probabilities or [])
    if _is_score(wanted.prediction) and wanted.classes is None:
        own = _distance(_listed(wanted.prediction), _listed(got.prediction), usual)
        return own, f"the original says {wanted.prediction}, the compiled model {got.prediction}", False
    if type(wanted.prediction) is not type(got.prediction) or wanted.prediction != got.prediction:
        return math.inf, f"the original says {wanted.prediction!r}, the compiled model {got.prediction!r}", True
    return gap, f"the probabilities are {wanted.probabilities} and {got.probabilities}", False


def _is_score(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, list) and all(isinstance(each, float) for each in value))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _distance(wanted: Sequence[Any], got: Sequence[Any], usual: float = 1.0) -> float:
    """The largest difference as a share of `usual`; of numbers larger than that, of the original's."""
    if len(wanted) != len(got):
        return math.inf
    return max((_apart(left, right, usual) for left, right in zip(wanted, got, strict=True)), default=0.0)


def _apart(wanted: Any, got: Any, usual: float) -> float:
    if not (isinstance(wanted, (int, float)) and isinstance(got, (int, float))):
        return 0.0 if wanted == got else math.inf
    if wanted == got or (wanted != wanted and got != got):
        return 0.0
    gap = abs(wanted - got) / max(usual, abs(wanted))
    return gap if gap == gap else math.inf
