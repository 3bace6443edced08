"""Elements, values and fields of a PMML document, read in the same way by every part of the evaluator."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

Element = ElementTree.Element
Value = Any
Evaluate = Callable[["Row"], Value]


class PmmlError(ValueError):
    """The document cannot be evaluated, or a value does not belong to its field; the message says why."""


def parse(content: bytes) -> Element:
    """The root of a document, its tags without namespaces. Raises `PmmlError`."""
    try:
        # In the process that serves or logs the model; expat bounds how far entities unfold.
        root = ElementTree.fromstring(content)  # noqa: S314
    except ElementTree.ParseError as error:
        raise PmmlError(f"the file is no XML: {error}") from None
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag != "PMML":
        raise PmmlError(f"the file holds <{root.tag}>, not <PMML>")
    return root


def need(element: Element, name: str) -> str:
    """An attribute that must be there."""
    value = element.get(name)
    if value is None:
        raise PmmlError(f"<{element.tag}> has no {name}")
    return value


def number(element: Element, name: str, default: float | None = None) -> float:
    """An attribute that is a number."""
    text = element.get(name)
    if text is None and default is not None:
        return default
    try:
        return float(need(element, name))
    except ValueError:
        raise PmmlError(f"{name} of <{element.tag}> is no number: {text!r}") from None


def only(element: Element, name: str, default: str, known: tuple[str, ...]) -> str:
    """An attribute that changes what is computed: one of `known`, or the document is refused."""
    value = element.get(name, default)
    if value not in known:
        raise PmmlError(f'{name}="{value}" of <{element.tag}> is not supported; supported are {", ".join(known)}')
    return value


def array(element: Element | None) -> list[str]:
    """The items of an <Array>, as texts."""
    text = "" if element is None or element.text is None else element.text
    return shlex.split(text, posix=True) if '"' in text or "'" in text else text.split()


def extensions_aside(element: Element) -> Iterator[Element]:
    """The children that mean something."""
    return (child for child in element if child.tag != "Extension")


def cast(value: Value, data_type: str) -> Value:
    """A JSON value or a text of the document as a value of a PMML data type. Raises `ValueError`."""
    if value is None:
        return None
    if data_type == "string":
        return value if isinstance(value, str) else _text(value)
    if data_type in ("double", "float"):
        return float(value)
    if data_type == "integer":
        whole = int(float(value))
        if whole != float(value):
            raise ValueError(f"{value!r} is no whole number")
        return whole
    if data_type == "boolean":
        if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
            return value.lower() in ("true", "1")
        return bool(value)
    raise PmmlError(f"the data type {data_type} is not supported")


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@dataclass(frozen=True)
class DataField:
    """A field of the DataDictionary."""

    name: str
    data_type: str
    is_continuous: bool
    valid: tuple[Value, ...] = ()
    missing: frozenset[Value] = frozenset()
    invalid: frozenset[Value] = frozenset()
    intervals: tuple[Callable[[float], bool], ...] = ()

    def is_valid(self, value: Value) -> bool:
        """Whether the dictionary knows the value."""
        if value in self.invalid or (self.valid and value not in self.valid and not self.is_continuous):
            return False
        return not self.intervals or any(inside(value) for inside in self.intervals)


def data_fields(root: Element) -> dict[str, DataField]:
    """The DataDictionary by name."""
    return {need(each, "name"): _data_field(each) for each in root.iterfind("DataDictionary/DataField")}


def _data_field(element: Element) -> DataField:
    data_type = need(element, "dataType")
    cast(None if data_type else "", data_type)
    by_kind: dict[str, list[Value]] = {"valid": [], "missing": [], "invalid": []}
    for value in element.iterfind("Value"):
        by_kind[only(value, "property", "valid", tuple(by_kind))].append(cast(need(value, "value"), data_type))
    return DataField(
        name=need(element, "name"),
        data_type=data_type,
        is_continuous=element.get("optype") == "continuous",
        valid=tuple(by_kind["valid"]),
        missing=frozenset(by_kind["missing"]),
        invalid=frozenset(by_kind["invalid"]),
        intervals=tuple(interval(each) for each in element.iterfind("Interval")),
    )


def interval(element: Element) -> Callable[[float], bool]:
    """Whether a number lies in an <Interval>."""
    closure = only(element, "closure", "", ("openOpen", "openClosed", "closedOpen", "closedClosed"))
    low = number(element, "leftMargin", float("-inf"))
    high = number(element, "rightMargin", float("inf"))
    low_in, high_in = closure.startswith("closed"), closure.endswith("Closed")

    def inside(value: float) -> bool:
        above = value >= low if low_in else value > low
        return above and (value <= high if high_in else value < high)

    return inside


@dataclass
class Row:
    """The values of one record: given ones, and derived ones when somebody asks for them."""

    values: dict[str, Value]
    derived: dict[str, Evaluate] = field(default_factory=dict)

    def get(self, name: str) -> Value:
        """The value of a field, None when it is missing."""
        if name in self.values:
            return self.values[name]
        compute = self.derived.get(name)
        value = None if compute is None else compute(self)
        self.values[name] = value
        return value


@dataclass(frozen=True)
class Fields:
    """The data types of the fields that an element can see."""

    types: dict[str, str]

    def type_of(self, name: str) -> str:
        """Raises `PmmlError` for a field that is defined nowhere."""
        if name not in self.types:
            raise PmmlError(f"the field {name!r} is used and defined nowhere")
        return self.types[name]

    def and_more(self, more: dict[str, str]) -> Fields:
        """These and others."""
        return Fields({**self.types, **more})
