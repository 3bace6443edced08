"""Predicates in PMML's logic of three values: True, False, and None where a missing value leaves it unknown."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from .document import Element, Fields, PmmlError, Row, Value, array, cast, extensions_aside, need, only

Test = Callable[[Row], bool | None]

_OPERATORS: dict[str, Callable[[Value, Value], bool]] = {
    "equal": operator.eq,
    "notEqual": operator.ne,
    "lessThan": operator.lt,
    "lessOrEqual": operator.le,
    "greaterThan": operator.gt,
    "greaterOrEqual": operator.ge,
}
_TAGS = ("True", "False", "SimplePredicate", "SimpleSetPredicate", "CompoundPredicate")


def predicate_of(parent: Element, fields: Fields) -> Test:
    """The predicate inside an element. Raises `PmmlError` when there is none."""
    for child in extensions_aside(parent):
        if child.tag in _TAGS:
            return compiled(child, fields)
    raise PmmlError(f"<{parent.tag}> holds no predicate")


def compiled(element: Element, fields: Fields) -> Test:
    """A predicate element as a function of a row."""
    if element.tag in ("True", "False"):
        constant = element.tag == "True"
        return lambda _: constant
    if element.tag == "SimplePredicate":
        return _simple(element, fields)
    if element.tag == "SimpleSetPredicate":
        return _set(element, fields)
    if element.tag == "CompoundPredicate":
        return _compound(element, fields)
    raise PmmlError(f"the predicate <{element.tag}> is not supported")


def _simple(element: Element, fields: Fields) -> Test:
    name, kind = need(element, "field"), need(element, "operator")
    data_type = fields.type_of(name)
    if kind in ("isMissing", "isNotMissing"):
        wanted = kind == "isMissing"
        return lambda row: (row.get(name) is None) == wanted
    if kind not in _OPERATORS:
        raise PmmlError(f"the operator {kind!r} is not supported")
    compare, limit = _OPERATORS[kind], cast(need(element, "value"), data_type)

    def test(row: Row) -> bool | None:
        value = row.get(name)
        return None if value is None else compare(value, limit)

    return test


def _set(element: Element, fields: Fields) -> Test:
    name = need(element, "field")
    inside = only(element, "booleanOperator", "", ("isIn", "isNotIn")) == "isIn"
    data_type = fields.type_of(name)
    members = {cast(item, data_type) for item in array(element.find("Array"))}

    def test(row: Row) -> bool | None:
        value = row.get(name)
        return None if value is None else (value in members) == inside

    return test


def _compound(element: Element, fields: Fields) -> Test:
    kind = only(element, "booleanOperator", "", ("and", "or", "xor", "surrogate"))
    tests = [compiled(child, fields) for child in extensions_aside(element)]
    combine = {"and": _and, "or": _or, "xor": _xor, "surrogate": _surrogate}[kind]
    return lambda row: combine(tests, row)


def _and(tests: Sequence[Test], row: Row) -> bool | None:
    unknown = False
    for test in tests:
        value = test(row)
        if value is False:
            return False
        unknown = unknown or value is None
    return None if unknown else True


def _or(tests: Sequence[Test], row: Row) -> bool | None:
    unknown = False
    for test in tests:
        value = test(row)
        if value:
            return True
        unknown = unknown or value is None
    return None if unknown else False


def _xor(tests: Sequence[Test], row: Row) -> bool | None:
    values = [test(row) for test in tests]
    return None if None in values else sum(map(bool, values)) % 2 == 1


def _surrogate(tests: Sequence[Test], row: Row) -> bool | None:
    return next((value for test in tests if (value := test(row)) is not None), None)
