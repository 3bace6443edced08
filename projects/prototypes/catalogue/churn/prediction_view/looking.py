"""What the page of a customer shows: answers, and what each of them is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prediction_view.asking import Answer, Endpoint, Trouble
from prediction_view.explaining import Explanation, explain
from prediction_view.fields import Field

Record = dict[str, Any]
# Sums of the same numbers differ in the last digits when they are made in another order.
SAME = 1e-6


@dataclass(frozen=True)
class View:
    """A customer, the endpoint's answer, and its explanation, unless that could not be had."""

    record: Record
    answer: Answer
    explanation: Explanation | None = None

    @property
    def probability(self) -> float:
        return self.answer.probabilities[0]

    @property
    def is_explained(self) -> bool:
        """Whether the explanation is one of this answer: another version may have come to answer in between."""
        return self.explanation is not None and abs(self.explanation.answer - self.probability) <= SAME


@dataclass(frozen=True)
class Cell:
    """A column of one customer: its value in words, its contribution, how long its bar is (-1 to 1)."""

    words: str
    contribution: float
    error: float
    length: float


@dataclass(frozen=True)
class Look:
    """All views that could be had, the request that explained them, and what kept us from having more."""

    views: list[View]
    explained_by: Answer | None = None
    trouble: Trouble | None = None


def look(endpoint: Endpoint, records: Sequence[Record], background: Sequence[Record]) -> Look:
    """Ask for each record by itself, so that each answer has an id of its own, then explain them all by one request."""
    views: list[View] = []
    explained_by: list[Answer] = []

    def ask(asked: list[Record]) -> list[float]:
        explained_by.append(endpoint.ask(asked))
        return explained_by[0].probabilities

    try:
        for record in records:
            views.append(View(record, endpoint.ask([record])))
        explanations = explain(records, background, ask)
    except Trouble as trouble:
        return Look(views, trouble=trouble)
    views = [View(v.record, v.answer, each) for v, each in zip(views, explanations, strict=True)]
    return Look(views, explained_by[0])


def rows(fields: Sequence[Field], views: Sequence[View]) -> list[tuple[Field, list[Cell]]]:
    """The table of contributions, a cell for each view, what counts most in the last one first."""
    by_column = [
        {each.column: each for each in view.explanation.contributions} for view in views if view.explanation is not None
    ]
    if not by_column or len(by_column) < len(views):
        return []
    longest = max(abs(each.value) for found in by_column for each in found.values()) or 1.0

    def cell(view: View, found: dict[str, Any], field: Field) -> Cell:
        each = found[field.name]
        return Cell(field.words(view.record[field.name]), each.value, each.error, each.value / longest)

    ordered = sorted(fields, key=lambda field: -abs(by_column[-1][field.name].value))
    return [
        (field, [cell(view, found, field) for view, found in zip(views, by_column, strict=True)]) for field in ordered
    ]
