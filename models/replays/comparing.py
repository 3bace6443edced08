"""What counts as another answer: plain values in, plain values out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from models.predictions.verdicts import Answer, compare

UNKNOWN = object()


class Kind(StrEnum):
    """What the answers of an endpoint are."""

    CLASS = "class"
    NUMBER = "number"
    VALUE = "value"


@dataclass(slots=True)
class Row:
    """One record: as it was answered and as the candidate answers it. `after` is UNKNOWN where `error` says why.

    `scores` are `{class: probability}`. `truth` is UNKNOWN where nobody said it.
    """

    prediction_id: UUID
    record: int
    values: dict[str, Any]
    before: Any
    after: Any = UNKNOWN
    scores_before: dict[str, Any] | None = None
    scores_after: dict[str, Any] | None = None
    error: str = ""
    truth: Any = UNKNOWN
    is_flip: bool = False
    segments: dict[str, str] = field(default_factory=dict)

    @property
    def is_answered(self) -> bool:
        """Whether the candidate answered it."""
        return self.after is not UNKNOWN


def kind_of(rows: Sequence[Row]) -> Kind:
    """Classes where there are probabilities or all answers are texts, truth values or whole numbers."""
    answers = [row.before for row in rows]
    if any(row.scores_before for row in rows) or all(isinstance(answer, str | int) for answer in answers):
        return Kind.CLASS
    return Kind.NUMBER if all(is_number(answer) for answer in answers) else Kind.VALUE


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_other(kind: Kind, before: Any, after: Any, tolerance: float) -> bool:
    """Whether the two are different answers: classes by equality, numbers by `tolerance` of their size."""
    if kind is Kind.CLASS:
        return bool(before != after)
    if kind is Kind.NUMBER:
        if not is_number(before) or not is_number(after):
            return bool(before != after)
        return bool(abs(after - before) > tolerance * max(abs(before), abs(after)))
    return not compare(Answer([before], None), Answer([after], None)).is_same


def mark(rows: Iterable[Row], kind: Kind, tolerance: float) -> None:
    """Say of each answered row whether it is a flip."""
    for row in rows:
        row.is_flip = row.is_answered and is_other(kind, row.before, row.after, tolerance)


def score(scores: dict[str, Any] | None, label: Any) -> float | None:
    """The probability of a class, None where there is none."""
    found: Any = (scores or {}).get(str(label))
    return float(found) if is_number(found) else None
