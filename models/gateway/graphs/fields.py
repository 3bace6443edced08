"""Reading the plain data of a graph strictly: every entry is known and has the right form, or a problem says so."""

from __future__ import annotations

import re
from typing import Any

from models.gateway.graphs.graph import Problem
from models.gateway.words import Mismatch, check_depth, describe

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s)?")
MAX_TEXT = 2000
LONGEST_SECONDS = 60.0


class Fields:
    """A mapping that is taken apart entry by entry. What is wrong is gathered in `problems`, which all share."""

    def __init__(self, values: Any, where: str, problems: list[Problem]) -> None:
        self.where, self.problems = where, problems
        self._known: list[str] = []
        self._values: dict[Any, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            self.refuse("", f"It is {describe(values)}, not a mapping.", "Indent its entries below it.")

    def refuse(self, key: str, message: str, remedy: str) -> None:
        """Note that the entry is wrong."""
        self.problems.append(Problem(f"{self.where}.{key}".strip("."), message, remedy))

    def has(self, key: str) -> bool:
        """Whether the entry is given."""
        return key in self._values

    def take(self, key: str) -> Any:
        """The entry as it is, None where it is left out."""
        self._known.append(key)
        return self._values.get(key)

    def inside(self, key: str) -> Fields:
        """A mapping inside this one, empty where it is left out."""
        value = self.take(key)
        return Fields({} if value is None else value, f"{self.where}.{key}".strip("."), self.problems)

    def names(self) -> list[str]:
        """The names of all its entries."""
        return [str(name) for name in self._values]

    def text(self, key: str, default: str = "") -> str:
        """A text of at most 2,000 characters."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            self.refuse(key, f"It is {describe(value)}, not a short text.", "Put a text in quotation marks.")
            return default
        return value.strip()

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of the choices."""
        value = self.take(key)
        if value is None:
            return default
        if value not in choices:
            self.refuse(key, f"{describe(value)} is none of {', '.join(choices)}.", f"Use {' or '.join(choices)}.")
            return default
        return str(value)

    def name(self, key: str) -> str:
        """The name of something, which is needed."""
        value = self.take(key)
        if not is_name(value):
            self.refuse(key, f"It is {describe(value)}, not a name.", "Use small letters, digits and hyphens.")
            return ""
        return str(value)

    def list_of_names(self, key: str) -> tuple[str, ...]:
        """A name or a list of names, none twice; empty where it is left out."""
        value = self.take(key)
        if value is None:
            return ()
        found = value if isinstance(value, list) else [value]
        if not found or not all(is_name(name) for name in found) or len(set(found)) != len(found):
            self.refuse(key, f"It is {describe(value)}, not names of nodes.", "Name nodes, each once, or `request`.")
            return ()
        return tuple(str(name) for name in found)

    def number(self, key: str) -> float | None:
        """A number; None where it is left out."""
        value = self.take(key)
        if is_number(value):
            return float(value)
        if value is None:
            return None
        self.refuse(key, f"It is {describe(value)}, not a number.", "Write a number without quotation marks.")
        return None

    def seconds(self, key: str) -> float | None:
        """Seconds from `2`, `2s` or `150ms`, at most a minute; None where it is left out."""
        value = self.take(key)
        if value is None:
            return None
        match = None if isinstance(value, bool) else _DURATION.fullmatch(str(value))
        seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else 0.0
        if not 0 < seconds <= LONGEST_SECONDS:
            self.refuse(key, f"It is {describe(value)}, not a time.", "Write `150ms` or `2s`, a minute at most.")
            return None
        return seconds

    def value(self, key: str) -> Any:
        """Any JSON value that is not nested too deeply."""
        found = self.take(key)
        try:
            return check_depth(found)
        except Mismatch as mismatch:
            self.refuse(key, f"It holds {mismatch}.", "Flatten it.")
            return None

    def finish(self) -> None:
        """Note every entry that nobody asked for."""
        for key in [key for key in self._values if key not in self._known]:
            self.refuse(str(key)[:60], "There is no such entry here.", f"Use {', '.join(self._known)}.")


def is_name(value: Any) -> bool:
    """Whether the value may name a node or a model."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_number(value: Any) -> bool:
    """Whether the value is a number that can be compared."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
