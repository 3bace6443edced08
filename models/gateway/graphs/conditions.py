"""Conditions of routers: how they are read, and whether they hold."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from models.gateway.choices import MAX_CHOICES, OneOf, are_choices
from models.gateway.graphs.fields import Fields, is_number
from models.gateway.graphs.graph import REQUEST, Condition
from models.gateway.words import describe

KINDS = ("column", "value", "probability", "confidence")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "below": operator.lt,
    "above": operator.gt,
    "at_most": operator.le,
    "at_least": operator.ge,
}
MAX_CONDITIONS = 40
TESTS = (*_ORDER, "equals", "one_of", "missing")
Chances = Mapping[str, float | None] | None


class CannotTell(Exception):
    """Whether the condition holds cannot be told; the text says why, as the end of a sentence about a node."""


def read(given: Any, where: str, of: str, fields: Fields) -> tuple[Condition, ...]:
    """The conditions that `when` gives, one or a list of them, about the node `of` unless they name another."""
    items = given if isinstance(given, list) else [given]
    if not items:
        fields.refuse(where, "It holds no condition.", "Write one, such as `{confidence: {below: 0.6}}`.")
    if len(items) > MAX_CONDITIONS:
        fields.refuse(where, f"It holds {len(items)} conditions.", f"Give it {MAX_CONDITIONS} at most.")
        return ()
    found = []
    for number, item in enumerate(items):
        place = f"{where}[{number}]" if isinstance(given, list) else where
        condition = _read_one(Fields(item, f"{fields.where}.{place}", fields.problems), of)
        if condition is not None:
            found.append(condition)
    return tuple(found)


def _read_one(fields: Fields, default: str) -> Condition | None:
    kinds = [kind for kind in KINDS if fields.has(kind)]
    if len(kinds) != 1:
        fields.refuse("", "It is no condition.", f"Give it exactly one of {', '.join(KINDS)}.")
        return None
    kind = kinds[0]
    of = fields.name("of") if fields.has("of") else default
    if not of:
        fields.refuse("", "It is about no node.", "Name one by the router's `on`, or the condition's `of`.")
        return None
    if kind == "column":
        # As in the rules of fallbacks: the column stands beside what it is compared with.
        name, inner = fields.text("column"), fields
    else:
        inner = fields.inside(kind)
        name = _class_of(inner) if kind == "probability" else ""
    if kind != "column" and of == REQUEST:
        fields.refuse(kind, "The request has no such thing.", "Use `column`, or a condition of a node.")
        return None
    tests = _tests(inner, only_order=kind in ("probability", "confidence"))
    fields.finish()
    if inner is not fields:
        inner.finish()
    return Condition(of, kind, name, tests) if tests else None


def _class_of(fields: Fields) -> str:
    given = fields.take("class")
    if given is None or isinstance(given, (list, dict)):
        fields.refuse("class", "A probability is that of a class.", "Name the class.")
        return ""
    return str(given)


def _tests(fields: Fields, *, only_order: bool) -> tuple[tuple[str, Any], ...]:
    allowed = tuple(_ORDER) if only_order else TESTS
    found: list[tuple[str, Any]] = []
    for name in allowed:
        if not fields.has(name):
            continue
        value = fields.value(name)
        wrong = _wrong(name, value, only_order=only_order)
        if wrong:
            fields.refuse(name, f"It is {describe(value)}, not {wrong}.", f"Write {wrong}.")
        else:
            found.append((name, OneOf(value) if name == "one_of" else value))
    if not any(fields.has(name) for name in allowed):
        fields.refuse("", "It compares with nothing.", f"Give it one of {', '.join(allowed)}.")
    return tuple(found)


def _wrong(name: str, value: Any, *, only_order: bool) -> str:
    """What the value should be, empty where it is that."""
    if name == "one_of":
        return "" if are_choices(value) else f"a list of 1 to {MAX_CHOICES} texts, numbers or truth values"
    if name == "missing":
        return "" if isinstance(value, bool) else "true or false"
    if name == "equals":
        return "" if value is not None and not isinstance(value, (list, dict)) else "a text, a number, true or false"
    if is_number(value) or (isinstance(value, str) and not only_order):
        return ""
    return "a number"


def holds(condition: Condition, record: Mapping[str, Any], output: Any, chances: Chances) -> bool:
    """Whether the condition holds of a record of the request, for which its node gave this output and these
    probabilities. Raises CannotTell."""
    value = _value(condition, record, output, chances)
    return all(_passes(test, value, operand) for test, operand in condition.tests)


def _value(condition: Condition, record: Mapping[str, Any], output: Any, chances: Chances) -> Any:
    if condition.what == "value":
        return output
    if condition.what == "column":
        if condition.of == REQUEST:
            return record.get(condition.name)
        if not isinstance(output, dict):
            raise CannotTell(f"{condition.of} gave {describe(output)}, which has no columns")
        return output.get(condition.name)
    if chances is None:
        raise CannotTell(f"{condition.of} gave no probabilities")
    if condition.what == "probability":
        found = chances.get(condition.name)
        if found is None:
            known = ", ".join(sorted(chances)[:20])
            raise CannotTell(f"{condition.of} gave no probability of {condition.name!r}; it has {known}")
        return found
    known_chances = [chance for chance in chances.values() if chance is not None]
    if not known_chances:
        raise CannotTell(f"{condition.of} gave no probabilities")
    return max(known_chances)


def _passes(test: str, value: Any, operand: Any) -> bool:
    if test == "missing":
        return (value is None) is operand
    if value is None:
        return False
    if test == "equals":
        return _same(value, operand)
    if test == "one_of":
        return value in operand
    if isinstance(value, bool) or not isinstance(value, type(operand) if isinstance(operand, str) else (int, float)):
        raise CannotTell(f"{describe(value)} cannot be compared with {describe(operand)}")
    return _ORDER[test](value, operand)


def _same(value: Any, operand: Any) -> bool:
    # In Python true is 1.
    return isinstance(value, bool) is isinstance(operand, bool) and bool(value == operand)
