"""Reads MLflow's `MLmodel` file. It is a user's file: nothing in it is trusted, nothing is executed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from models.gateway.fields import UNNAMED
from models.gateway.signature import compile_signature
from models.gateway.values import value_type
from models.gateway.words import is_plain
from modelwright.core.errors import ValidationFailed

MAX_BYTES = 4 * 1024 * 1024
MAX_COLUMNS = 5000
_REMEDY = "Log the model again with the mlflow client, then register it."


@dataclass(frozen=True)
class Described:
    """What a model says of itself. `data_path` is where its trained part lies, relative to the model's folder."""

    flavor: str
    signature: dict[str, Any] | None
    data_path: str
    python_version: str
    example_path: str


def parse(content: bytes) -> Described:
    """Read an `MLmodel` file. Raises ValidationFailed when it is none."""
    if len(content) > MAX_BYTES:
        raise ValidationFailed(f"MLmodel is larger than {MAX_BYTES} bytes.", remedy=_REMEDY)
    try:
        document = yaml.load(content, Loader=_Loader)  # noqa: S506 - a safe loader, without aliases
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise ValidationFailed(f"MLmodel is no valid YAML: {str(error)[:300]}", remedy=_REMEDY) from None
    flavors = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(flavors, dict) or not flavors:
        raise ValidationFailed("MLmodel names no flavour, so nobody knows how to load the model.", remedy=_REMEDY)
    pyfunc = flavors.get("python_function")
    pyfunc = pyfunc if isinstance(pyfunc, dict) else {}
    flavor = next((str(name) for name in flavors if name != "python_function"), "python_function")
    own = flavors.get(flavor)
    own = own if isinstance(own, dict) else {}
    example = document.get("saved_input_example_info")
    return Described(
        flavor=flavor[:64],
        signature=_signature(document.get("signature")),
        data_path=_text(own.get("pickled_model") or own.get("data") or pyfunc.get("model_path") or pyfunc.get("data")),
        python_version=_text(pyfunc.get("python_version"))[:16],
        example_path=_text(example.get("artifact_path")) if isinstance(example, dict) else "",
    )


class _Loader(yaml.SafeLoader):
    """Refuses aliases, with which a small file can unfold into a huge one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _signature(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    inputs, outputs = _columns(value.get("inputs")), _columns(value.get("outputs"))
    return _checked({"inputs": inputs, "outputs": outputs}) if inputs or outputs else None


def _checked(signature: dict[str, Any]) -> dict[str, Any]:
    """The signature, if the gateway can check records against it: there it stands beside those of all others."""
    try:
        if not is_plain(signature):
            raise ValueError("it is nested too deeply, or holds what no JSON can say")
        compile_signature(signature)
        for column in signature["outputs"]:
            value_type(column)
    except (ValueError, RecursionError) as error:
        detail = f"The signature in MLmodel cannot be used: {str(error)[:300]}."
        raise ValidationFailed(detail, remedy=_REMEDY) from None
    return signature


def _columns(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, str):
        return []
    try:
        columns = json.loads(value)
    except (ValueError, RecursionError):
        raise ValidationFailed("The signature in MLmodel is no valid JSON.", remedy=_REMEDY) from None
    if not isinstance(columns, list) or len(columns) > MAX_COLUMNS:
        raise ValidationFailed(f"The signature in MLmodel is no list of at most {MAX_COLUMNS} columns.", remedy=_REMEDY)
    return [_column(column) for column in columns if isinstance(column, dict)]


def _column(column: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": str(column.get("type", "any")), "required": column.get("required") is not False}
    if "name" in column:
        made["name"] = str(column["name"])
    tensor = column.get("tensor-spec")
    if isinstance(tensor, dict):
        made["tensor"] = {"dtype": str(tensor.get("dtype", "")), "shape": tensor.get("shape")}
    for key in ("items", "properties", "values"):
        if key in column:
            made[key] = column[key]
    return made


def served_signature(signature: dict[str, Any] | None) -> dict[str, Any] | None:
    """The signature as the gateway checks it: each input has a name, `""` where it is one nameless tensor, and `"0"`,
    `"1"`, … where columns have none. None where inputs cannot be told apart."""
    inputs = signature.get("inputs") if signature else None
    if not signature or not inputs:
        return None
    if len(inputs) == 1 and inputs[0]["type"] == "tensor":
        return {**signature, "inputs": [{**inputs[0], "name": inputs[0].get("name", "")}]}
    if all("name" in column for column in inputs):
        return signature
    if any("name" in column or column["type"] == "tensor" for column in inputs):
        return None
    columns = [{**column, "name": str(index), "required": True, UNNAMED: True} for index, column in enumerate(inputs)]
    return {**signature, "inputs": columns}
