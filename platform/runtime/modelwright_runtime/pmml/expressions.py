"""Expressions of PMML's transformations, compiled once to functions of a row. None is a missing value."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

from .document import (
    Element,
    Evaluate,
    Fields,
    PmmlError,
    Row,
    Value,
    cast,
    extensions_aside,
    interval,
    need,
    number,
    only,
)

Function = Callable[..., Value]


def derived_fields(parent: Element | None, fields: Fields) -> tuple[dict[str, Evaluate], Fields]:
    """The <DerivedField>s of an element as functions by name, and the fields with them."""
    if parent is None:
        return {}, fields
    elements = list(extensions_aside(parent))
    for child in elements:
        if child.tag != "DerivedField":
            raise PmmlError(f"<{child.tag}> in <{parent.tag}> is not supported")
    types = {need(child, "name"): need(child, "dataType") for child in elements}
    fields = fields.and_more(types)
    made = {need(child, "name"): _typed(first_expression(child, fields), need(child, "dataType")) for child in elements}
    return made, fields


def first_expression(parent: Element, fields: Fields) -> Evaluate:
    """The expression inside an element."""
    for child in extensions_aside(parent):
        if child.tag in _COMPILERS:
            return compiled(child, fields)
        raise PmmlError(f"the expression <{child.tag}> is not supported")
    raise PmmlError(f"<{parent.tag}> holds no expression")


def compiled(element: Element, fields: Fields) -> Evaluate:
    """An expression element as a function of a row."""
    compiler = _COMPILERS.get(element.tag)
    if compiler is None:
        raise PmmlError(f"the expression <{element.tag}> is not supported")
    return compiler(element, fields)


def _typed(evaluate: Evaluate, data_type: str) -> Evaluate:
    return lambda row: cast(evaluate(row), data_type)


def _constant(element: Element, _: Fields) -> Evaluate:
    text, data_type = element.text or "", element.get("dataType")
    value: Value = text
    if data_type is not None:
        value = cast(text, data_type)
    else:
        try:
            value = float(text)
        except ValueError:
            value = text
    return lambda _: value


def _field_ref(element: Element, fields: Fields) -> Evaluate:
    name = need(element, "field")
    data_type = fields.type_of(name)
    instead = cast(element.get("mapMissingTo"), data_type)

    def evaluate(row: Row) -> Value:
        value = row.get(name)
        return instead if value is None else value

    return evaluate


def _norm_continuous(element: Element, fields: Fields) -> Evaluate:
    name = need(element, "field")
    fields.type_of(name)
    points = sorted((number(each, "orig"), number(each, "norm")) for each in element.iterfind("LinearNorm"))
    if len(points) < 2:
        raise PmmlError("<NormContinuous> needs two points at least")
    outliers = only(element, "outliers", "asIs", ("asIs", "asMissingValues", "asExtremeValues"))
    instead = cast(element.get("mapMissingTo"), "double")
    places = [place for place, _ in points]

    def evaluate(row: Row) -> Value:
        value = row.get(name)
        if value is None:
            return instead
        if not places[0] <= value <= places[-1]:
            if outliers == "asMissingValues":
                return instead
            if outliers == "asExtremeValues":
                return points[0][1] if value < places[0] else points[-1][1]
        left = min(max(bisect_right(places, value) - 1, 0), len(points) - 2)
        (x1, y1), (x2, y2) = points[left], points[left + 1]
        return y1 + (value - x1) * (y2 - y1) / (x2 - x1)

    return evaluate


def _norm_discrete(element: Element, fields: Fields) -> Evaluate:
    name = need(element, "field")
    wanted = cast(need(element, "value"), fields.type_of(name))
    instead = cast(element.get("mapMissingTo"), "double")

    def evaluate(row: Row) -> Value:
        value = row.get(name)
        return instead if value is None else float(value == wanted)

    return evaluate


def _discretize(element: Element, fields: Fields) -> Evaluate:
    name = need(element, "field")
    fields.type_of(name)
    bins = []
    for each in element.iterfind("DiscretizeBin"):
        inner = each.find("Interval")
        if inner is None:
            raise PmmlError("<DiscretizeBin> holds no <Interval>")
        bins.append((interval(inner), need(each, "binValue")))
    otherwise, instead = element.get("defaultValue"), element.get("mapMissingTo")

    def evaluate(row: Row) -> Value:
        value = row.get(name)
        if value is None:
            return instead
        return next((label for inside, label in bins if inside(value)), otherwise)

    return evaluate


def _map_values(element: Element, fields: Fields) -> Evaluate:
    pairs = [(need(each, "field"), need(each, "column")) for each in element.iterfind("FieldColumnPair")]
    types = [fields.type_of(name) for name, _ in pairs]
    output = need(element, "outputColumn")
    table = {}
    inline = element.find("InlineTable")
    if inline is None:
        raise PmmlError("<MapValues> without an <InlineTable> is not supported")
    for line in inline.iterfind("row"):
        cells = {cell.tag: cell.text or "" for cell in line}
        key = tuple(cast(cells.get(column), kind) for (_, column), kind in zip(pairs, types, strict=True))
        table[key] = cells.get(output)
    otherwise, instead = element.get("defaultValue"), element.get("mapMissingTo")

    def evaluate(row: Row) -> Value:
        key = tuple(row.get(name) for name, _ in pairs)
        return instead if None in key else table.get(key, otherwise)

    return evaluate


def _apply(element: Element, fields: Fields) -> Evaluate:
    name = need(element, "function")
    arguments = [compiled(child, fields) for child in extensions_aside(element)]
    instead, otherwise = _loose(element.get("mapMissingTo")), _loose(element.get("defaultValue"))
    only(element, "invalidValueTreatment", "returnInvalid", ("returnInvalid",))
    if name == "if":
        return _if(arguments, otherwise)
    if name in ("isMissing", "isNotMissing"):
        is_missing = name == "isMissing"
        return lambda row: (arguments[0](row) is None) == is_missing
    function = _FUNCTIONS.get(name)
    if function is None:
        raise PmmlError(f"the function {name!r} is not supported; supported are {', '.join(sorted(_FUNCTIONS))}")
    skips_missing = name in _OVER_WHAT_IS_THERE

    def evaluate(row: Row) -> Value:
        values = [argument(row) for argument in arguments]
        if skips_missing:
            values = [value for value in values if value is not None]
        if None in values or not values:
            return instead
        result = function(*values)
        return otherwise if result is None else result

    return evaluate


def _if(arguments: Sequence[Evaluate], otherwise: Value) -> Evaluate:
    if len(arguments) not in (2, 3):
        raise PmmlError("the function 'if' takes two or three arguments")

    def evaluate(row: Row) -> Value:
        condition = arguments[0](row)
        if condition is None:
            return otherwise
        if condition:
            return arguments[1](row)
        return arguments[2](row) if len(arguments) == 3 else otherwise

    return evaluate


def _loose(text: str | None) -> Value:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _substring(text: str, start: float, length: float) -> str:
    return text[int(start) - 1 : int(start) - 1 + int(length)]


def _divided(left: float, right: float) -> float:
    if right == 0:
        raise PmmlError("a division by zero in a transformation")
    return left / right


_COMPILERS: dict[str, Callable[[Element, Fields], Evaluate]] = {
    "Constant": _constant,
    "FieldRef": _field_ref,
    "NormContinuous": _norm_continuous,
    "NormDiscrete": _norm_discrete,
    "Discretize": _discretize,
    "MapValues": _map_values,
    "Apply": _apply,
}
_OVER_WHAT_IS_THERE = {"min", "max", "sum", "avg", "product", "median"}
_FUNCTIONS: dict[str, Function] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "min": min,
    "max": max,
    "sum": lambda *values: sum(values),
    "avg": lambda *values: sum(values) / len(values),
    "product": lambda *values: math.prod(values),
    "log10": math.log10,
    "ln": math.log,
    "ln1p": math.log1p,
    "exp": math.exp,
    "expm1": math.expm1,
    "sqrt": math.sqrt,
    "abs": abs,
    "pow": lambda base, exponent: base**exponent,
    "threshold": lambda value, limit: 1 if value > limit else 0,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": lambda value: math.floor(value + 0.5),
    "equal": lambda a, b: a == b,
    "notEqual": lambda a, b: a != b,
    "lessThan": lambda a, b: a < b,
    "lessOrEqual": lambda a, b: a <= b,
    "greaterThan": lambda a, b: a > b,
    "greaterOrEqual": lambda a, b: a >= b,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "not": lambda value: not value,
    "isIn": lambda value, *values: value in values,
    "isNotIn": lambda value, *values: value not in values,
    "uppercase": lambda text: text.upper(),
    "lowercase": lambda text: text.lower(),
    "trimBlanks": lambda text: text.strip(),
    "substring": _substring,
    "concat": lambda *values: "".join(cast(value, "string") for value in values),
}
