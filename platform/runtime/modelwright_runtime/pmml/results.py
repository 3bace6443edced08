"""What a PMML model gives for a record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .document import PmmlError, Row, Value


class Result(NamedTuple):
    """`value` is None where the model has no answer for the record. `probabilities` by category, in a fixed order."""

    value: Value
    probabilities: Mapping[Value, float] = {}


NOTHING = Result(None)
Compute = Callable[[Row], Result]


def most_probable(probabilities: Mapping[Value, float]) -> Result:
    """The category with the largest probability, the first of equal ones."""
    if not probabilities:
        return NOTHING
    return Result(max(probabilities, key=lambda category: probabilities[category]), probabilities)


def softmax(values: Sequence[float]) -> list[float]:
    """Shares of exponentials, computed without overflow."""
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    total = sum(powers)
    return [power / total for power in powers]


def shares(values: Sequence[float]) -> list[float]:
    """Parts of the sum."""
    total = sum(values)
    if total == 0:
        raise PmmlError("the categories' scores add up to 0, so none has a probability")
    return [value / total for value in values]


def logistic(value: float) -> float:
    """1 / (1 + exp(-value)), for values of any size."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    power = math.exp(value)
    return power / (1 + power)


def normal(value: float) -> float:
    """The distribution function of the standard normal distribution."""
    return 0.5 * math.erfc(-value / math.sqrt(2))


INVERSE_LINKS: dict[str, Callable[[float], float]] = {
    "none": lambda value: value,
    "identity": lambda value: value,
    "logit": logistic,
    "softmax": logistic,
    "probit": normal,
    "exp": math.exp,
    "log": math.exp,
    "cloglog": lambda value: 1 - math.exp(-math.exp(value)),
    "loglog": lambda value: math.exp(-math.exp(-value)),
    "cauchit": lambda value: 0.5 + math.atan(value) / math.pi,
}
