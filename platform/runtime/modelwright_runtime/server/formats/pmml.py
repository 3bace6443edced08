"""PMML documents: records instead of tables, with the probabilities of categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelwright_runtime.server.inputs import Inputs
from modelwright_runtime.server.results import Outcome

from .ways import Opened, Way


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """The evaluator itself."""
    return Way(_RecordsBuilder(opened.inputs), _Predictor(opened.raw().evaluator), tolerance=1e-12)


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


class _Predictor:
    def __init__(self, evaluator: Any) -> None:
        self._evaluator = evaluator

    def predict(self, data: list[dict[str, Any]]) -> Outcome:
        """Values, and probabilities where every record has one of the same categories."""
        results = [self._evaluator.evaluate(record) for record in data]
        predictions = [result.value for result in results]
        known = self._evaluator.classes or list(results[0].probabilities)
        if not known or any(not result.probabilities or not known_all(result, known) for result in results):
            return Outcome(predictions)
        return Outcome(
            predictions, known, [[result.probabilities.get(category, 0.0) for category in known] for result in results]
        )


def known_all(result: Any, categories: list[Any]) -> bool:
    """Whether the probabilities are of these categories alone."""
    return all(category in categories for category in result.probabilities)
