"""MLmodel files come from users: what is read from them is checked, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.gateway.signature import compile_signature
from models.registry import snapshots
from models.registry.mlmodel import parse, served_signature
from modelwright.core.errors import ValidationFailed
from modelwright.storage.local import LocalBlobs

REAL = """
flavors:
  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl, python_version: 3.11.7}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}
saved_input_example_info: {artifact_path: input_example.json, type: dataframe}
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}, {"type": "string", "name": "b", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
"""


def test_a_real_file_is_understood() -> None:
    found = parse(REAL.encode())
    assert (found.flavor, found.data_path, found.python_version) == ("sklearn", "model.pkl", "3.11.7")
    assert found.example_path == "input_example.json"
    assert found.signature is not None
    assert found.signature["inputs"] == [
        {"type": "double", "required": True, "name": "a"},
        {"type": "string", "required": False, "name": "b"},
    ]
    assert served_signature(found.signature) == found.signature


def test_one_nameless_tensor_is_a_nameless_column_to_check() -> None:
    inputs = json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}])
    found = parse(f"flavors: {{sklearn: {{}}}}\nsignature: {{inputs: '{inputs}'}}".encode())
    assert found.signature is not None
    served = served_signature(found.signature)
    assert served is not None
    assert served["inputs"][0]["name"] == ""
    assert served["inputs"][0]["tensor"] == {"dtype": "float64", "shape": [-1, 4]}


def test_columns_without_names_are_called_by_their_places() -> None:
    found = parse(with_signature(inputs='[{"type": "double"}, {"type": "string"}]'))
    served = served_signature(found.signature)
    assert served is not None
    assert [(column["name"], column["type"]) for column in served["inputs"]] == [("0", "double"), ("1", "string")]
    frame = compile_signature(served).check([{"b": 1.5, "a": "x"}, {"a": "y", "b": 2}])
    assert frame == (("0", "1"), [(1.5, "x"), (2, "y")])


@pytest.mark.parametrize(
    "other", ['{"type": "double", "name": "0"}', '{"type": "tensor", "tensor-spec": {"shape": [-1]}}']
)
def test_inputs_that_are_not_told_apart_are_not_checked(other: str) -> None:
    found = parse(with_signature(inputs=f'[{{"type": "double"}}, {other}]'))
    assert served_signature(found.signature) is None


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a]\nflavors: {x: {}}\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[1, 2",
        b"just text",
        b"flavors: {}",
        b"flavors: [a]",
        b"flavors: !!python/object/apply:os.system ['true']",
        BOMB.encode(),
        b"[" * 5000,
        b"flavors: {x: {}}\nsignature: {inputs: '{not json'}",
        b"flavors: {x: {}}\nsignature: {inputs: '{}'}",
    ],
)
def test_what_is_no_mlmodel_is_refused(content: bytes) -> None:
    with pytest.raises(ValidationFailed):
        parse(content)


def with_signature(**columns: str) -> bytes:
    return json.dumps({"flavors": {"sklearn": {}}, "signature": columns}).encode()


NESTED = '{"type": "array", "items": ' * 80 + '{"type": "double"}' + "}" * 80


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize(
    "column",
    [
        '{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-2]}}',
        '{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2147483648]}}',
        '{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": "abc"}}',
        '{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": ' + f"{[1] * 33}}}}}",
        '{"name": "a", "type": "array", "items": {"type": "tensor", "tensor": {"shape": [-2]}}}',
        '{"name": "a", "type": "array", "items": ' + NESTED + "}",
        '{"name": "a", "type": "object", "properties": {"x": ' + "9" * 400 + "}}",
        '{"name": "a", "type": "object", "properties": {"x": NaN}}',
        '{"name": "\\ud800", "type": "double"}',
    ],
)
def test_a_signature_that_the_gateway_could_not_use_is_refused(side: str, column: str) -> None:
    with pytest.raises(ValidationFailed, match="signature"):
        parse(with_signature(**{side: f"[{column}]"}))


@pytest.mark.parametrize(
    ("value", "is_kept"), [("1.5", True), ("9" * 400, False), ("1e999", False), ('"\\ud800"', False)]
)
def test_an_example_that_others_could_not_read_is_left_out(tmp_path: Path, value: str, is_kept: bool) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text(REAL)
    (folder / "input_example.json").write_text(f'{{"columns": ["a"], "data": [[{value}]]}}')
    example = snapshots.take(LocalBlobs(tmp_path / "blobs"), folder).example
    assert example == ({"a": 1.5} if is_kept else None)
