"""Checks each row against the signature. What does not fit becomes an error of that row, with the reason."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .errors import ScoringError
from .limits import is_deep

# Texts of a CSV file that stand for no value. A text column keeps them.
MISSING = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"))
_TRUE, _FALSE = frozenset(("true", "t", "yes", "1")), frozenset(("false", "f", "no", "0"))
_LIMITS = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_EXPECTED = {
    "boolean": "true or false",
    "integer": "a whole number of 32 bits",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
    "string": "a text",
    "datetime": "a date such as 2026-11-27T06:00:00, between 1677-09-21 and 2262-04-11",
    "binary": "bytes (in base64 where the input is text)",
}
# What 64 bits of nanoseconds hold, which is how models are given moments, in UTC.
_EARLIEST = datetime.datetime(1677, 9, 21, 0, 12, 43, 145225)
_LATEST = datetime.datetime(2262, 4, 11, 23, 47, 16, 854775)
_SHOWN = 60


class Mismatch(Exception):
    """A value or row does not fit; the message says why."""


class Column(NamedTuple):
    """One input of the signature; `type` is MLflow's name."""

    name: str
    type: str
    required: bool


class Checker:
    """Turns raw rows into rows in the order of `columns`. `is_text` says that every value is a text, as in CSV."""

    def __init__(
        self,
        inputs: Sequence[Mapping[str, Any]] | None,
        given: Sequence[str],
        keys: Sequence[str],
        *,
        is_text: bool,
        redacted: Sequence[str] = (),
    ) -> None:
        """Raises `ScoringError` where the input lacks a column that the model or the job needs. No value of a
        `redacted` column is repeated in words."""
        self._is_text = is_text
        self._redacted = frozenset(redacted)
        if inputs:
            # One that may be missing goes to the model with nothing in it, as the gateway sends it.
            self.columns = [
                Column(_name(spec, index), str(spec.get("type", "any")), bool(spec.get("required", True)))
                for index, spec in enumerate(inputs)
            ]
        else:
            self.columns = [Column(name, "any", False) for name in given if name not in set(keys)]
        _check_names([column.name for column in self.columns if column.required], given, "the model needs")
        _check_names(keys, given, "the job names as keys")

    @property
    def names(self) -> list[str]:
        """The columns that go to the model."""
        return [column.name for column in self.columns]

    def row(self, raw: Mapping[str, Any]) -> list[Any]:
        """The values for the model, each something that JSON can say. Raises `Mismatch`."""
        return [self._value(column, raw.get(column.name)) for column in self.columns]

    def _value(self, column: Column, value: Any) -> Any:
        is_missing = value is None or (isinstance(value, float) and math.isnan(value))
        if self._is_text and value is not None:
            is_missing = value == "" and not column.required if column.type == "string" else value in MISSING
        if is_missing:
            if column.required:
                raise Mismatch(f"{column.name}: it is missing, and the signature requires a value.")
            return None
        try:
            return _convert(column.type, value)
        except (Mismatch, ValueError, TypeError, OverflowError, RecursionError):
            expected = _EXPECTED.get(column.type, f"JSON of the type {column.type}")
            got = "a value that is not shown" if column.name in self._redacted else _words(value)
            raise Mismatch(f"{column.name}: expected {expected}, got {got}.") from None


def _name(spec: Mapping[str, Any], index: int) -> str:
    """The one tensor of a model that has no name is the column without one."""
    return str(spec.get("name") or ("" if spec.get("type") == "tensor" else index))


def _check_names(wanted: Sequence[str], given: Sequence[str], who: str) -> None:
    missing = [name for name in wanted if name not in set(given)]
    if missing:
        lacking = f"{'the columns' if len(missing) > 1 else 'the column'} {', '.join(missing[:20])}"
        raise ScoringError(
            f"The input lacks {lacking}, which {who}. It has {', '.join(list(given)[:40]) or 'none'}.",
            "Give an input with these columns; their names must be the same, capitals too.",
        )


def _convert(kind: str, value: Any) -> Any:
    if kind in _LIMITS:
        return _whole(kind, value)
    if kind in ("float", "double"):
        return _number(value)
    if kind == "boolean":
        return _truth(value)
    if kind == "string":
        if isinstance(value, (str, uuid.UUID)):
            return str(value)
        raise Mismatch
    if kind == "datetime":
        return _moment(value)
    if kind == "binary":
        if isinstance(value, str):
            base64.b64decode(value, validate=True)
            return value
        return base64.b64encode(bytes(value)).decode()
    return _free(value)


def _whole(kind: str, value: Any) -> int:
    if isinstance(value, bool):
        raise Mismatch
    if isinstance(value, str):
        text = value.strip()
        number = int(text) if text.lstrip("+-").isdigit() else _integral(float(text))
    else:
        number = value if isinstance(value, int) else _integral(float(value))
    low, high = _LIMITS[kind]
    if not low <= number <= high:
        raise Mismatch
    return number


def _integral(number: float) -> int:
    if not number.is_integer():
        raise Mismatch
    return int(number)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, decimal.Decimal)):
        raise Mismatch
    number = float(value)
    if not math.isfinite(number):
        raise Mismatch
    return number


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise Mismatch


def _moment(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        text, moment = value.isoformat(), value
    elif isinstance(value, datetime.date):
        text, moment = value.isoformat(), datetime.datetime(value.year, value.month, value.day)
    else:
        text = str(value).strip()
        moment = datetime.datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    if not 1677 < moment.year < 2262:  # most years need no look at the zone
        utc = moment.replace(tzinfo=None) - (moment.utcoffset() or datetime.timedelta())
        if not _EARLIEST <= utc < _LATEST:
            raise Mismatch
    return text


def _free(value: Any) -> Any:
    """Of a column whose type CSV cannot say: JSON where it is JSON, else the text."""
    if not isinstance(value, str):
        return plain(value)
    try:
        made = json.loads(value, parse_constant=_refuse)
    except ValueError:
        return value
    if is_deep(made):
        raise Mismatch
    return made


def _refuse(name: str) -> Any:
    raise ValueError(name)


def plain(value: Any) -> Any:
    """Any value of a file or table as something that JSON can say."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


def _words(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
