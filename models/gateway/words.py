"""How a JSON value is described to people, and how deep it may be nested."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from typing import Any

import orjson

MAX_DEPTH = 64
HOLDERS = frozenset((list, dict))


class Mismatch(Exception):
    """The value is none of the type; the text says what came. Where that lies inside of the value, `place` says where,
    such as `.item[2].price`, and `expected` and `remedy` are of what belongs there."""

    def __init__(self, got: str, place: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(got)
        self.place = place
        self.expected = expected
        self.remedy = remedy

    def inside(self, place: str, expected: str, remedy: str) -> Mismatch:
        """The same, as whoever holds the value at `place` sees it; the other two are of that value."""
        return Mismatch(str(self), place + self.place, self.expected or expected, self.remedy or remedy)


def describe(value: Any) -> str:
    """What a JSON value is, short enough for a message."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"text {_shortened(value)}"
    if isinstance(value, dict):
        return f"an object with the keys {_shortened(list(value))}" if value else "an empty object"
    kind = "the truth value" if isinstance(value, bool) else "a list" if isinstance(value, list) else "the number"
    return f"{kind} {_shortened(value)}"


def quoted(value: Any) -> str:
    """A name that a client gave, for a message; what is no text is described."""
    return _shortened(value) if isinstance(value, str) else describe(value)


def check_depth(value: Any) -> Any:
    """The value itself. Raises `Mismatch` when lists and objects nest deeper than JSON writers go."""
    # Most are lists of numbers or texts, or nested lists of them: a whole level is looked at by its types.
    if type(value) is list and HOLDERS.isdisjoint(map(type, value)):
        return value
    level = [value]
    for _ in range(MAX_DEPTH):
        kinds = set(map(type, level))
        if kinds.isdisjoint(HOLDERS):
            return value
        if kinds == {list}:
            level = list(chain.from_iterable(level))
        else:
            level = [item for holder in level for item in _items(holder)]
    if not set(map(type, level)).isdisjoint(HOLDERS):
        raise Mismatch(f"lists or objects nested deeper than {MAX_DEPTH} levels")
    return value


def is_plain(value: Any) -> bool:
    """Whether the gateway can read what Python's writer of JSON makes of the value: it has numbers without bounds, NaN
    and halves of characters, which other readers refuse together with everything around them."""
    try:
        orjson.loads(json.dumps(check_depth(value)))
    except (ValueError, TypeError, RecursionError, Mismatch):
        return False
    return True


def _items(holder: Any) -> Iterable[Any]:
    if isinstance(holder, dict):
        return holder.values()
    return holder if isinstance(holder, list) else ()


def _shortened(value: Any) -> str:
    if isinstance(value, (list, dict)):
        value = list(value)[:5]
        value = [item if isinstance(item, (str, int, float)) else "..." for item in value]
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."
