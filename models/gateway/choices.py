"""Lists that a value is looked for in, as quickly as if there were one entry: they are asked once for each record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# More would be a table of data, not a rule.
MAX_CHOICES = 1000


class OneOf:
    """Texts, numbers and truth values. A truth value is no number here, though Python says that True is 1."""

    __slots__ = ("_known", "values")

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = tuple(values)
        self._known = frozenset((isinstance(value, bool), value) for value in self.values)

    def __contains__(self, value: object) -> bool:
        return is_plain(value) and (isinstance(value, bool), value) in self._known


def is_plain(value: object) -> bool:
    """Whether it is a text, a number or a truth value."""
    return isinstance(value, (str, int, float, bool))


def are_choices(value: object) -> bool:
    """Whether it is a list that can be looked in: of 1 to `MAX_CHOICES` plain values."""
    return isinstance(value, list) and 1 <= len(value) <= MAX_CHOICES and all(map(is_plain, value))
