"""Checks records against a model's signature and puts their values into the order of its columns.

A signature is compiled once per route table. Most records are checked by one dictionary access and one comparison of
types; whatever is not plainly right goes the careful way, which names each mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from models.gateway.fields import Field, are_unnamed, fields_of, placed
from models.gateway.values import ValueType, value_type
from models.gateway.words import Mismatch, check_depth, describe

MAX_ERRORS = 50
_MAX_KNOWN_SHAPES = 256

Row = tuple[Any, ...]


class Invalid(Exception):
    """Records do not fit; `errors` says per value what was expected and what came."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(errors)} values do not fit the signature")
        self.errors = errors


class Frame(NamedTuple):
    """Validated records: column names and one tuple of values per record."""

    columns: tuple[str, ...]
    rows: list[Row]


class _Column(NamedTuple):
    name: str
    type: ValueType
    required: bool


class Signature:
    """A compiled signature. `inputs` and `outputs` are the route table's lists of `{"name", "type", "required"}`;
    `fields` and `outputs` describe them."""

    def __init__(self, inputs: Sequence[dict[str, Any]], outputs: Sequence[dict[str, Any]] = ()) -> None:
        self.fields = fields_of(inputs)
        self.outputs = fields_of(outputs)
        self._columns = [
            _Column(field.name, value_type(spec), field.required)
            for field, spec in zip(self.fields, inputs, strict=True)
        ]
        self.names = tuple(column.name for column in self._columns)
        self._known = frozenset(self.names)
        self._get = itemgetter(*self.names) if len(self.names) > 1 else self._get_single
        self._limits = [(i, c.type.limits) for i, c in enumerate(self._columns) if c.type.limits is not None]
        self._by_type_alone = all(column.type.by_type_alone for column in self._columns)
        self._shapes: set[tuple[type, ...]] = set()

    def check(self, records: Sequence[Any]) -> Frame:
        """Rows in column order; a whole number given as `3.0` becomes `3`. Raises `Invalid`."""
        rows: list[Row] = []
        errors: list[dict[str, Any]] = []
        count, get, shapes = len(self.names), self._get, self._shapes
        for index, record in enumerate(records):
            if type(record) is dict and len(record) == count:
                try:
                    row = get(record)
                except KeyError:
                    pass
                else:
                    if tuple(map(type, row)) in shapes and self._within_limits(row):
                        rows.append(row)
                        continue
            rows.append(self._check_carefully(index, record, errors))
            if len(errors) >= MAX_ERRORS:
                break
        if errors:
            raise Invalid(errors[:MAX_ERRORS])
        return Frame(self.names, rows)

    def _get_single(self, record: dict[str, Any]) -> Row:
        return tuple(record[name] for name in self.names)

    def _within_limits(self, row: Row) -> bool:
        for index, limits in self._limits:
            value = row[index]
            if value is not None and not limits[0] <= value <= limits[1]:
                return False
        return True

    def _check_carefully(self, index: int, record: Any, errors: list[dict[str, Any]]) -> Row:
        if not isinstance(record, dict):
            expected = "an object with one value per column"
            errors.append(_error(index, None, expected, describe(record), 'Send {"column": value, ...}.'))
            return ()
        errors.extend(self._unknown_columns(index, record))
        found = len(errors)
        row = tuple(self._value(index, record, column, errors) for column in self._columns)
        if found == len(errors) and self._by_type_alone and len(self._shapes) < _MAX_KNOWN_SHAPES:
            given = tuple(record.get(name) for name in self.names)
            if all(left is right for left, right in zip(given, row, strict=True)):
                self._shapes.add(tuple(map(type, row)))
        return row

    def _unknown_columns(self, index: int, record: dict[str, Any]) -> list[dict[str, Any]]:
        unknown = list(islice((name for name in record if name not in self._known), MAX_ERRORS))
        if not unknown:
            return []
        known = "the columns " + ", ".join(self.names[:40]) + (" …" if len(self.names) > 40 else "")
        if self.names == ("",):
            known = 'one nameless column, ""'
        return [
            _error(index, name, known, "a column that the model does not have", "Leave the column out.")
            for name in unknown
        ]

    @staticmethod
    def _value(index: int, record: dict[str, Any], column: _Column, errors: list[dict[str, Any]]) -> Any:
        value = record.get(column.name)
        if value is not None:
            try:
                return column.type.check(value)
            except Mismatch as mismatch:
                found = mismatch.inside("", column.type.expected, column.type.remedy)
                error = _error(index, column.name, found.expected, str(found), found.remedy, found.place)
                errors.append(error)
        elif column.required:
            got = "null" if column.name in record else "nothing"
            remedy = (
                f"Send {column.type.expected}; the signature requires a value. If the model takes missing ones, "
                "log it with an input example that has a gap in this column."
            )
            errors.append(_error(index, column.name, column.type.expected, got, remedy))
        return None


class UnnamedSignature(Signature):
    """A signature of columns without names, which are taken by their places; in the frame they are `"0"`, `"1"`, …"""

    def check(self, records: Sequence[Any]) -> Frame:
        """As for columns with names, whatever the keys of the records are."""
        return super().check(placed(records, self.fields))


class FreeSignature:
    """For a model registered without a signature of its inputs: any columns, the same in every record of a request."""

    def __init__(self, outputs: Sequence[dict[str, Any]] = ()) -> None:
        self.fields: tuple[Field, ...] = ()
        self.outputs = fields_of(outputs)

    def check(self, records: Sequence[Any]) -> Frame:
        """Rows in the column order of the first record. Raises `Invalid`."""
        first = records[0]
        names = tuple(first) if isinstance(first, dict) else ()
        known = set(names)
        errors: list[dict[str, Any]] = []
        rows: list[Row] = []
        for index, record in enumerate(records):
            if isinstance(record, dict) and record and record.keys() == known:
                try:
                    rows.append(tuple(check_depth(record[name]) for name in names))
                    continue
                except Mismatch as mismatch:
                    errors.append(_error(index, None, "values nested less deeply", str(mismatch), "Flatten them."))
            else:
                expected = "an object with the same columns as the first record" if index else "an object with columns"
                errors.append(_error(index, None, expected, describe(record), "Give every record the same columns."))
            if len(errors) >= MAX_ERRORS:
                break
        if errors:
            raise Invalid(errors)
        return Frame(names, rows)


def compile_signature(signature: dict[str, Any] | None) -> Signature | FreeSignature:
    """The checker for a target's `signature`. Raises `ValueError` when it is no signature."""
    if signature is None:
        return FreeSignature()
    inputs, outputs = signature.get("inputs"), signature.get("outputs") or []
    for specs in (inputs, outputs):
        if not isinstance(specs, list) or not all(isinstance(spec, dict) for spec in specs):
            raise ValueError("a signature holds lists of inputs and outputs")
    if not inputs:
        return FreeSignature(outputs)
    return UnnamedSignature(inputs, outputs) if are_unnamed(fields_of(inputs)) else Signature(inputs, outputs)


def _error(index: int, column: str | None, expected: str, got: str, remedy: str, place: str = "") -> dict[str, Any]:
    field = f"records[{index}].{column}{place}" if column else f"records[{index}]{place}"
    return {
        "field": field,
        "record": index,
        "column": column,
        "expected": expected,
        "got": got,
        "message": f"Expected {expected}, got {got}.",
        "remedy": remedy,
    }
