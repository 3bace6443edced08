"""How a record is asked for in each protocol: bodies that work, for the OpenAPI document and for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.gateway.fields import Field
from models.gateway.protocols.v2 import NAMELESS
from models.gateway.protocols.v2_outputs import as_json, output_of

Record = Mapping[str, Any]
Body = dict[str, Any]


def own(record: Record, _: Sequence[Field]) -> Body:
    """A body of `predict`."""
    return {"records": [dict(record)]}


def mlflow(record: Record, fields: Sequence[Field]) -> Body:
    """A body of `invocations`."""
    if any(field.is_tensor for field in fields):
        return {"inputs": [record[""]] if list(record) == [""] else {name: [v] for name, v in record.items()}}
    return {"dataframe_split": {"columns": list(record), "data": [list(record.values())]}}


def v2(record: Record, fields: Sequence[Field]) -> Body:
    """A body of `v2/models/…/infer`; a missing value has no tensor."""
    known = {field.name: field for field in fields}
    values = {name: value for name, value in record.items() if value is not None}
    return {"inputs": [_tensor(name, value, known.get(name)) for name, value in values.items()]}


def tensorflow(record: Record, _: Sequence[Field]) -> Body:
    """A body of `v1/models/…:predict`."""
    return {"instances": [record[""] if list(record) == [""] else dict(record)]}


BY_PROTOCOL: Mapping[str, Callable[[Record, Sequence[Field]], Body]] = {
    "own": own,
    "mlflow": mlflow,
    "v2": v2,
    "tensorflow": tensorflow,
}


def _tensor(name: str, value: Any, field: Field | None) -> dict[str, Any]:
    made = as_json(output_of(name or NAMELESS, [value], field))
    if field is not None and field.kind == "binary":
        made["parameters"] = {"content_type": "base64"}
    return made
