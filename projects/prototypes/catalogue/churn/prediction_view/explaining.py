"""Why an answer is what it is: Shapley values by sampling, for any model that can be asked.

A draw takes a customer of the training data and turns it into the one in question, one column after the other in a
random order, and once more in the reverse order. By how much the answer changes at a column's turn is what the column
contributes in that draw; the mean over all draws is its contribution.

In each draw the changes add up to the difference of the answers for both customers. So the contributions add up to the
answer minus the base, which is the mean answer for the customers drawn: exactly, but for rounding (`TOLERANCE`).

Limits: contributions are means of a sample, and `error` says how far (one standard error) they may be from what all
customers would give. Columns are changed one by one, also into customers that there cannot be (no internet, and yet
films from it). They say what the model makes of a value, and not what would happen if somebody changed it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from statistics import stdev
from typing import Any

Record = dict[str, Any]
Ask = Callable[[list[Record]], Sequence[float]]
DRAWS = 60
# The gateway takes 10,000 records at once.
MOST_RECORDS = 10_000
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Contribution:
    """By how much a column's value moves the answer, and the standard error of that."""

    column: str
    value: float
    error: float


@dataclass(frozen=True)
class Explanation:
    """`answer` is `base` plus the values of all contributions, within TOLERANCE."""

    answer: float
    base: float
    contributions: list[Contribution]

    @property
    def gap(self) -> float:
        """What is missing from base and contributions to the answer."""
        return self.answer - self.base - fsum(each.value for each in self.contributions)


class Question:
    """The records that are asked, each once, however often draws come across it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._numbers: dict[tuple[Any, ...], int] = {}

    def number(self, record: Record) -> int:
        """The place of its answer among all answers."""
        values = tuple(record.values())
        if values not in self._numbers:
            self._numbers[values] = len(self.records)
            self.records.append(dict(record))
        return self._numbers[values]


def explain(
    customers: Sequence[Record], background: Sequence[Record], ask: Ask, *, draws: int = DRAWS, seed: int = 1
) -> list[Explanation]:
    """Explain the answers for all customers by one call of `ask`, with the same draws for each of them: what differs
    between two explanations comes from the customers. `background` are rows of the training data."""
    chance = random.Random(seed)  # noqa: S311 - the same draws each time, so that an explanation can be repeated
    columns = list(customers[0])
    rows = chance.sample(list(background), min(draws, len(background)))
    orders = [chance.sample(columns, len(columns)) for _ in rows]
    draws_both_ways = [(row, way) for row, order in zip(rows, orders, strict=True) for way in (order, order[::-1])]
    question = Question()
    walks = [[(order, walk(row, each, order, question)) for row, order in draws_both_ways] for each in customers]
    if len(question.records) > MOST_RECORDS:
        raise ValueError(f"{len(question.records)} records are too many for one request: take fewer draws.")
    answers = ask(question.records)
    return [explanation(columns, steps, answers) for steps in walks]


def walk(row: Record, customer: Record, order: Sequence[str], question: Question) -> list[int]:
    """The numbers of the records on the way from the row to the customer."""
    now = {column: row[column] for column in customer}
    numbers = [question.number(now)]
    for column in order:
        now[column] = customer[column]
        numbers.append(question.number(now))
    return numbers


def explanation(
    columns: Sequence[str], walks: Sequence[tuple[Sequence[str], list[int]]], answers: Sequence[float]
) -> Explanation:
    """What the answers along the walks say."""
    changes: dict[str, list[float]] = {column: [] for column in columns}
    for order, numbers in walks:
        for place, column in enumerate(order):
            changes[column].append(answers[numbers[place + 1]] - answers[numbers[place]])
    return Explanation(
        answer=answers[walks[0][1][-1]],
        base=mean([answers[numbers[0]] for _, numbers in walks]),
        contributions=[Contribution(column, mean(found), error(found)) for column, found in changes.items()],
    )


def mean(values: Sequence[float]) -> float:
    """Their mean, without the rounding of a plain sum."""
    return fsum(values) / len(values)


def error(changes: Sequence[float]) -> float:
    """The standard error of their mean. Both orders of one draw belong together: they are one observation."""
    pairs = [(there + back) / 2 for there, back in zip(changes[::2], changes[1::2], strict=True)]
    return stdev(pairs) / sqrt(len(pairs)) if len(pairs) > 1 else float("nan")
