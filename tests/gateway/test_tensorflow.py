"""The REST protocol of TensorFlow Serving."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
import requests

from tests.gateway import asking
from tests.gateway.asking import Wrong
from tests.gateway.processes import KEY, RECORD, Gateway

OTHER = {**RECORD, "alcohol": 11.9, "shade": "dark"}
IMAGE = [[float((row * 8 + column) % 17) for column in range(8)] for row in range(8)]


def call(gateway: Gateway, path: str, body: Any = None) -> requests.Response:
    method = "GET" if body is None else "POST"
    headers = {"Authorization": f"Bearer {KEY}"}
    return requests.request(method, f"{gateway.url}/acme/{path}", json=body, headers=headers, timeout=60)


@pytest.mark.slow
def test_rows_and_columns_get_the_same_answer_in_their_form(speaking: Gateway) -> None:
    own = speaking.predict(RECORD, OTHER).json()["predictions"]
    rows = {"signature_name": "serving_default", "instances": [RECORD, OTHER]}
    columns = {"inputs": {name: [RECORD[name], OTHER[name]] for name in RECORD}}
    for path in ("wine/v1/models/cellar:predict", "wine/v1/models/wine/versions/1:predict"):
        assert call(speaking, path, rows).json() == {"predictions": own}
        assert call(speaking, path, columns).json() == {"outputs": own}
    answered = call(speaking, "wine/v1/models/cellar:predict", rows)
    record = speaking.recorded()[-1]
    assert record["id"] == answered.headers["X-Modelwright-Prediction-Id"]
    assert (record["protocol"], record["inputs"]) == ("tensorflow", [RECORD, OTHER])


@pytest.mark.slow
def test_images_are_instances_of_a_model_with_one_input(speaking: Gateway) -> None:
    own = speaking.predict({"": IMAGE}, name="acme/digits").json()["predictions"]
    path = "digits/v1/models/digits:predict"
    assert call(speaking, path, {"instances": [IMAGE]}).json() == {"predictions": own}
    assert call(speaking, path, {"inputs": [IMAGE]}).json() == {"outputs": own}
    # The name that the metadata tells.
    assert call(speaking, path, {"instances": [{"inputs": IMAGE}]}).json() == {"predictions": own}
    assert call(speaking, path, {"inputs": {"inputs": [IMAGE]}}).json() == {"outputs": own}
    wrong = call(speaking, path, {"instances": [IMAGE[1:]]})
    assert wrong.status_code == 400
    assert "nested lists of shape 8×8 of numbers (float32), got a list of 7" in wrong.json()["error"]


@pytest.mark.slow
def test_status_and_metadata(speaking: Gateway) -> None:
    (status,) = call(speaking, "wine/v1/models/cellar").json()["model_version_status"]
    assert (status["version"], status["state"], status["status"]["error_code"]) == ("1", "AVAILABLE", "OK")
    found = call(speaking, "digits/v1/models/digits/metadata").json()
    assert found["model_spec"] == {"name": "digits", "signature_name": "", "version": "1"}
    tensor = found["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["inputs"]
    assert tensor["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in tensor["tensor_shape"]["dim"]] == ["-1", "8", "8"]
    missing = call(speaking, "wine/v1/models/beer")
    assert missing.status_code == 404
    assert "acme/wine does not serve beer; it serves cellar version 1." in missing.json()["error"]
    assert call(speaking, "wine/v1/models/cellar:classify", {}).status_code == 404


def rows_of(body: Any, *inputs: dict[str, Any]) -> Any:
    return asking.ask("tensorflow", body, signature={"inputs": list(inputs)}).frame.rows


def one(kind: str) -> dict[str, Any]:
    return {"name": "x", "type": kind, "required": True}


def test_a_nameless_tensor_goes_by_the_name_that_the_metadata_tells() -> None:
    nameless = {"type": "tensor", "tensor": {"dtype": "float64", "shape": [-1, 2]}}
    for body in (
        {"instances": [[1, 2], [3, 4]]},
        {"instances": [{"inputs": [1, 2]}, {"inputs": [3, 4]}]},
        {"instances": [{"": [1, 2]}, {"": [3, 4]}]},
        {"inputs": {"inputs": [[1, 2], [3, 4]]}},
    ):
        assert rows_of(body, nameless) == [([1, 2],), ([3, 4],)]
    coded = {"b64": base64.b64encode(b"a").decode()}
    text = {"type": "tensor", "tensor": {"dtype": "str", "shape": [-1]}}
    assert rows_of({"instances": [{"inputs": coded}]}, text) == [("a",)]
    assert rows_of({"inputs": {"inputs": [coded]}}, text) == [("a",)]
    with pytest.raises(Wrong, match="nameless"):
        rows_of({"instances": [{"inputs": [1, 2], "more": 1}]}, nameless)


def test_bytes_in_base64_are_bytes_for_bytes_and_text_for_text() -> None:
    coded = {"b64": base64.b64encode("é".encode()).decode()}
    for body in ({"instances": [coded]}, {"instances": [{"x": coded}]}, {"inputs": {"x": [coded]}}, {"inputs": coded}):
        assert rows_of(body, one("string")) == [("é",)]
        assert rows_of(body, one("binary")) == [("w6k=",)]
    assert rows_of({"instances": [{"x": [coded, coded]}]}, one("array")) == [(["é", "é"],)]


def test_a_table_is_answered_in_rows_or_in_columns() -> None:
    table = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    by_row = asking.ask("tensorflow", {"instances": [RECORD, OTHER]}).answer(table)
    assert orjson.loads(by_row.body) == {"predictions": table}
    by_column = asking.ask("tensorflow", {"inputs": {name: [value] for name, value in RECORD.items()}}).answer(table)
    assert orjson.loads(by_column.body) == {"outputs": {"a": [1, 2], "b": ["x", "y"]}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "instances or inputs, and besides only signature_name; it has no key at all"),
        ({"instances": [RECORD], "inputs": [RECORD]}, "it has instances, inputs"),
        ({"instances": RECORD}, "instances is no list but an object"),
        ({"instances": [1]}, "cellar has 5 inputs, so a record is an object, not the number 1"),
        ({"instances": [RECORD], "signature_name": "x"}, 'The model has no signature "x"'),
        ({"instances": [{**RECORD, "shade": {"b64": "?"}}]}, 'b64 of shade is no base64 but text "?"'),
        ({"instances": [{**RECORD, "shade": {"b64": "/w=="}}]}, "b64 of shade is no UTF-8"),
        ({"inputs": {"alcohol": [1, 2], "shade": ["light"]}}, "alcohol has 2, shade has 1"),
        ({"instances": []}, "not one record"),
        ({"instances": [{**RECORD, "colour": 1}]}, "records[0].colour: Expected the columns alcohol"),
    ],
)
def test_a_refusal_says_what_is_wrong(body: Any, told: str) -> None:
    with pytest.raises(Wrong) as caught:
        asking.ask("tensorflow", body)
    assert (caught.value.response.status, caught.value.told.keys()) == (400, {"error"})
    assert told in caught.value.told["error"]


def test_what_is_nested_beyond_reason_is_told() -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]
    for signature in (None, {"inputs": [one("array")]}, {"inputs": [one("string")]}):
        with pytest.raises(Wrong, match=r"nested deeper|text"):
            asking.ask("tensorflow", {"instances": [{"x": value}]}, signature=signature)
