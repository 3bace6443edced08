"""What parsers of several protocols share."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from models.gateway import answers
from models.gateway.fields import are_unnamed
from models.gateway.protocols.base import BadBody
from models.gateway.responses import problem
from models.gateway.routes import Target
from models.gateway.words import describe

Record = dict[str, Any]
_LONGEST_WHOLE = 20  # digits and sign of a whole number of 64 bits


def bad(detail: str, remedy: str, *, status: int = 400) -> BadBody:
    """To be raised: the body cannot be read."""
    return BadBody(problem(status, detail, remedy=remedy))


def json_object(body: bytes, remedy: str) -> dict[str, Any]:
    """The object in the body. Python's `NaN` is taken as null: clients in Python write it for a missing value.
    Raises `BadBody`."""
    try:
        data = orjson.loads(body)
    except ValueError as error:
        if not body:
            raise bad("The body is empty.", remedy) from None
        try:
            data = _python_json(body)
        except (ValueError, TypeError, RecursionError):
            raise bad(f"The body is no JSON: {error}.", remedy) from None
    if not isinstance(data, dict):
        raise bad(f"The body is {describe(data)}, not an object.", remedy)
    return data


def _python_json(body: bytes) -> Any:
    """What Python's own writer of JSON may have written."""
    if b"NaN" not in body:
        raise ValueError("not written by Python")
    data = json.loads(body.decode("utf-8"), parse_constant=_constant, parse_float=_float, parse_int=_whole)
    # What cannot be written as JSON again, such as half a surrogate pair, is refused here.
    return orjson.loads(orjson.dumps(data))


def _constant(name: str) -> None:
    if name != "NaN":
        raise ValueError(f"{name} is no JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number


def _whole(text: str) -> float:
    """As orjson reads it: to the last digit where 64 bits hold it."""
    number = int(text) if len(text) <= _LONGEST_WHOLE else None
    return number if number is not None and -(2**63) <= number < 2**64 else _float(text)


def limited(records: list[Any]) -> list[Any]:
    """The records, at least one, at most as many as one request may have. Raises `BadBody`."""
    if not records:
        raise bad("There is not one record in the body.", "Send at least one.")
    check_count(len(records))
    return records


def check_count(count: int) -> None:
    """To be asked before so many records are made of a body. Raises `BadBody`."""
    if count > answers.MAX_RECORDS:
        raise bad(
            f"{count} records are more than the {answers.MAX_RECORDS} of one request.",
            "Share them among several requests.",
        )


def repeated(names: Iterable[str]) -> str | None:
    """The first name that came before; None when each is another."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def from_columns(columns: Mapping[str, Any], remedy: str) -> list[Record]:
    """One record per place in the lists, which are equally long; one record of values that are no lists.
    Raises `BadBody`."""
    lists = {name: values for name, values in columns.items() if type(values) is list}
    if not lists:
        return [dict(columns)] if columns else []
    if len(lists) < len(columns):
        scalar = next(name for name in columns if name not in lists)
        raise bad(f"{scalar[:80]} is {describe(columns[scalar])} where other columns are lists.", remedy)
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name[:80]} has {length}" for name, length in list(lengths.items())[:10])
        raise bad(f"The columns have different numbers of values: {told}.", remedy)
    check_count(next(iter(lengths.values())))
    names = tuple(lists)
    return [dict(zip(names, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def from_values(values: Sequence[Any], target: Target, remedy: str) -> list[Any]:
    """One record per element: an object is one, anything else is the value of the model's only input.
    Raises `BadBody`."""
    check_count(len(values))
    if all(type(value) is dict for value in values):
        return list(values)
    fields = target.signature.fields
    if are_unnamed(fields) and fields[0].kind != "array" and all(type(value) is list for value in values):
        return [{str(index): item for index, item in enumerate(value)} for value in values]
    if len(fields) == 1:
        name = fields[0].name
        return [{name: value} for value in values]
    if not fields and all(type(value) is list for value in values):
        return [{str(index): item for index, item in enumerate(value)} for value in values]
    if not fields:
        return [{"0": value} for value in values]
    wrong = next(value for value in values if type(value) is not dict)
    raise bad(f"{target.model} has {len(fields)} inputs, so a record is an object, not {describe(wrong)}.", remedy)
