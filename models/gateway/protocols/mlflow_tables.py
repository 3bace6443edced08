"""What MLflow makes of the values of a table before it holds them against the signature."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from models.gateway.protocols.bodies import Record, bad
from models.gateway.routes import Target
from models.gateway.signature import FreeSignature, Signature

_WHOLE_ROWS = "Send one column per number of a row, in their order, or one column of whole rows."


def as_arrays(records: list[Any], target: Target) -> list[Any]:
    """For a model of one nameless tensor, the records of a table: its only column is the tensor, or its columns, in the
    order of the first record and whatever they are called, are the numbers of a row. Raises `BadBody`."""
    fields = target.signature.fields
    if len(fields) != 1 or fields[0].name or fields[0].shape is None or not records:
        return records
    shape = fields[0].shape
    header = list(records[0])
    wrong = next((i for i, record in enumerate(records) if record.keys() != records[0].keys()), None)
    if wrong is not None:
        detail = f"dataframe_records[{wrong}] has other columns than the first."
        raise bad(detail, "Give every record the same columns.")
    if len(header) == 1:
        values = [record[header[0]] for record in records]
        return [{"": [value] if shape == (1,) and type(value) is not list else value} for value in values]
    if shape != (len(header),):
        expected = [-1, *shape]
        raise bad(
            f"The table has {len(header)} columns, but the model takes one tensor of the shape {expected}.", _WHOLE_ROWS
        )
    return [{"": [record[name] for name in header]} for record in records]


def with_truths(records: list[Any], target: Target) -> list[Any]:
    """The records with 0 and 1 as false and true in columns of truth values."""
    names = _truths(target.signature)
    return [_with_truths(record, names) for record in records] if names else records


# The same signature is asked for with every request.
@lru_cache(maxsize=64)
def _truths(signature: Signature | FreeSignature) -> tuple[str, ...]:
    return tuple(field.name for field in signature.fields if field.kind == "boolean")


def _with_truths(record: Record, names: tuple[str, ...]) -> Record:
    numbers = [name for name in names if type(record.get(name)) in (int, float) and record[name] in (0, 1)]
    return {**record, **{name: record[name] == 1 for name in numbers}} if numbers else record
