"""Output tensors of the Open Inference Protocol, as JSON or bytes, from the predictions of the rows."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from models.gateway.fields import Field
from models.gateway.protocols.datatypes import BYTES, NUMERIC, of_values

PREDICTIONS, PROBABILITIES = "predictions", "probabilities"
NAN = float("nan")


class Output(NamedTuple):
    """One output: its elements in row-major order. `parameters` say more about it."""

    name: str
    datatype: str
    shape: list[int]
    flat: list[Any]
    parameters: dict[str, Any]


def names_of(fields: Sequence[Field]) -> tuple[str, ...]:
    """The names of a model's outputs, besides probabilities; a model without a signature of them has one."""
    if len(fields) == 1:
        return (fields[0].name if fields[0].name not in ("", "0") else PREDICTIONS,)
    return tuple(field.name for field in fields) or (PREDICTIONS,)


def outputs_of(
    predictions: Sequence[Any], probabilities: Sequence[Mapping[str, float | None]] | None, fields: Sequence[Field]
) -> list[Output]:
    """Everything that a prediction holds: one output, or one per column where the model answers with a table, and the
    probabilities of classes, whose names stand in a parameter."""
    if predictions and all(type(prediction) is dict for prediction in predictions):
        known = {field.name: field for field in fields}
        columns = list(predictions[0])
        found = [output_of(name, [row.get(name) for row in predictions], known.get(name)) for name in columns]
    else:
        field = fields[0] if len(fields) == 1 else None
        found = [output_of(names_of((field,) if field else ())[0], predictions, field)]
    if probabilities:
        classes = list(probabilities[0])
        rows = [list(row.values()) for row in probabilities]
        told = {"classes": orjson.dumps(classes).decode()}
        found.append(output_of(PROBABILITIES, rows, None)._replace(parameters=told))
    return found


def output_of(name: str, values: Sequence[Any], field: Field | None) -> Output:
    """One output of these values, one per row."""
    shape = _shape(values)
    flat = list(_flattened(values, len(shape) - 1))
    datatype = of_values(flat, field)
    if datatype == BYTES:
        flat = [value if isinstance(value, str) else orjson.dumps(value).decode() for value in flat]
    return Output(name, datatype, shape, flat, {})


def _shape(values: Sequence[Any]) -> list[int]:
    """As deep as all lists are equally long; a ragged list is one element."""
    shape = [len(values)]
    level: Sequence[Any] = values
    while level and all(type(item) is list for item in level) and len({len(item) for item in level}) == 1:
        size = len(level[0])
        if size == 0:
            break
        shape.append(size)
        level = [element for item in level for element in item]
    return shape


def _flattened(values: Iterable[Any], depth: int) -> Iterable[Any]:
    for _ in range(depth):
        values = [element for item in values for element in item]
    return values


def as_json(output: Output) -> dict[str, Any]:
    """The element of `outputs` with its data."""
    return {**_head(output), "data": output.flat}


def as_bytes(output: Output) -> tuple[dict[str, Any], bytes]:
    """The element of `outputs`, and the bytes that follow the JSON."""
    data = _packed(output)
    head = _head(output)
    head["parameters"] = {**output.parameters, "binary_data_size": len(data)}
    return head, data


def _head(output: Output) -> dict[str, Any]:
    head: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
    if output.parameters:
        head["parameters"] = output.parameters
    return head


def _packed(output: Output) -> bytes:
    if output.datatype == BYTES:
        texts = [text.encode() for text in output.flat]
        return b"".join([len(text).to_bytes(4, "little") + text for text in texts])
    flat = [NAN if value is None else value for value in output.flat]
    return struct.pack(f"<{len(flat)}{NUMERIC[output.datatype].code}", *flat)
