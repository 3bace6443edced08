"""PMML documents: records instead of tables, with the probabilities of categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelwright_runtime.server.inputs import Inputs
from modelwright_runtime.server.results import Outcome

from .ways import Opened, Way


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """The evaluator itself."""
    return Way(_RecordsBuilder(opened.inputs), predictor(opened.raw().evaluator), tolerance=1e-12)


class _RecordsBuilder:
    """Rows as records, as they came."""

    def __init__(self, inputs: Inputs) -> None:
        self._required = [column.name for column in inputs.columns if column.required]

    def build(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        """Raises `ValueError` when a column is missing."""
        missing = [name for name in self._required if name not in columns]
        if missing:
            raise ValueError(f"the document needs {', '.join(missing)}")
        return [dict(zip(columns, row, strict=True)) for row in rows]


def predictor(evaluator: Any) -> _Predictor:
    """Asks the evaluator of a document record by record."""
    return _Predictor(evaluator)


class _Predictor:
    def __init__(self, evaluator: Any) -> None:
        self._evaluator = evaluator

    def predict(self, data: list[dict[str, Any]]) -> Outcome:
        """Values, and probabilities where the document gives any, of the same categories for all; a record without
        an answer has None for each."""
        results = [self._evaluator.evaluate(record) for record in data]
        predictions = [result.value for result in results]
        given = [result.probabilities for result in results if result.probabilities]
        known = self._evaluator.classes or list(given[0] if given else ())
        if not given or any(category not in known for each in given for category in each):
            return Outcome(predictions)
        return Outcome(predictions, known, [_of_categories(result.probabilities, known) for result in results])


def _of_categories(probabilities: Mapping[Any, float], known: list[Any]) -> list[float | None]:
    return [probabilities.get(category, 0.0) for category in known] if probabilities else [None] * len(known)
