"""The Open Inference Protocol, spoken by a client of others (tritonclient, as it comes) with real models."""

from __future__ import annotations

from typing import Any

import numpy
import orjson
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from models.gateway.protocols.datatypes import NUMERIC
from tests.gateway import asking
from tests.gateway.asking import Wrong
from tests.gateway.processes import KEY, RECORD, Gateway
from tests.gateway.signatures import signature_of

OTHER = {**RECORD, "alcohol": 11.9, "malic_acid": float("nan"), "shade": "dark"}


def key() -> dict[str, str]:
    """A dictionary of its own for each request: the client writes into it."""
    return {"Authorization": f"Bearer {KEY}"}


def client(gateway: Gateway, name: str = "wine") -> InferenceServerClient:
    return InferenceServerClient(f"127.0.0.1:{gateway.port}/acme/{name}", connection_timeout=60, network_timeout=60)


def tensor(name: str, array: Any, *, binary: bool) -> InferInput:
    made = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def columns(*records: dict[str, Any], binary: bool, wide: bool = False) -> list[InferInput]:
    """One tensor per column."""
    made = []
    for name, value in records[0].items():
        dtype: Any = numpy.object_ if isinstance(value, str) else numpy.float64 if name != "proline" else numpy.int64
        array = numpy.array([record[name] for record in records], dtype=dtype)
        made.append(tensor(name, array.reshape(-1, 1) if wide else array, binary=binary))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("binary", [True, False])
def test_a_client_of_others_asks_column_by_column_and_gets_labels_and_probabilities(
    speaking: Gateway, binary: bool
) -> None:
    spoken = client(speaking)
    wanted = [InferRequestedOutput(name, binary_data=binary) for name in ("predictions", "probabilities")]
    sent = columns(RECORD, OTHER if binary else RECORD, binary=binary, wide=binary)
    result: InferResult = spoken.infer(
        "cellar", sent, model_version="1", outputs=wanted, request_id="mine", headers=key()
    )
    answer = result.get_response()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("cellar", "1", "mine")
    labels, probabilities = result.as_numpy("predictions"), result.as_numpy("probabilities")
    assert probabilities.shape == (2, 3)
    assert probabilities.sum(axis=1) == pytest.approx([1, 1])
    text = [label.decode() if isinstance(label, bytes) else label for label in labels]
    classes = result.get_output("probabilities")["parameters"]["classes"]
    assert [f'"{label}"' in classes for label in text] == [True, True]
    record = speaking.recorded()[-1]
    assert record["id"] == answer["parameters"]["prediction_id"]
    assert record["protocol"] == "v2"
    assert record["outputs"] == text
    assert record["inputs"][0] == RECORD
    assert record["inputs"][1] == ({**OTHER, "malic_acid": None} if binary else RECORD)
    own = speaking.predict(*record["inputs"]).json()
    assert own["predictions"] == text
    assert probabilities.tolist() == [list(row.values()) for row in own["probabilities"]]


@pytest.mark.slow
@pytest.mark.parametrize("binary", [True, False])
def test_a_whole_tensor_goes_to_a_model_of_images(speaking: Gateway, binary: bool) -> None:
    images = numpy.arange(3 * 64, dtype=numpy.float32).reshape(3, 8, 8) % 17
    result = client(speaking, "digits").infer("digits", [tensor("anything", images, binary=binary)], headers=key())
    found = result.as_numpy("predictions")
    assert found.dtype == numpy.int64
    own = speaking.predict(*[{"": image} for image in images.tolist()], name="acme/digits").json()
    assert found.tolist() == own["predictions"]
    assert speaking.recorded()[-2]["inputs"][2] == {"": images[2].tolist()}


ARRAYS = {
    **{
        name: numpy.array([0, 1, 3, 100]).astype(datatype.dtype) / (1 if datatype.code not in "efd" else 8)
        for name, datatype in NUMERIC.items()
        if name != "BOOL"
    },
    "BOOL": numpy.array([True, False, True, True]),
    "BYTES": numpy.array(["", "é", "x" * 300, "1"], dtype=numpy.object_),
}


@pytest.mark.slow
def test_every_datatype_comes_back_as_it_went_by_bytes_and_by_json(speaking: Gateway) -> None:
    spoken = client(speaking, "echo")
    assert ARRAYS.keys() == {*NUMERIC, "BYTES"}
    for binary in (True, False):
        sent = [
            tensor(name, array.astype(NUMERIC[name].dtype) if name in NUMERIC else array, binary=binary)
            for name, array in ARRAYS.items()
            if binary or name != "FP16"  # the client itself has no JSON for it
        ]
        result = spoken.infer("echo", sent, headers=key())
        for one in sent:
            found = result.as_numpy(one.name()).tolist()
            texts = [item.decode() if isinstance(item, bytes) else item for item in found]
            assert texts == ARRAYS[one.name()].tolist(), one.name()


@pytest.mark.slow
def test_a_client_of_others_reads_health_and_metadata(speaking: Gateway) -> None:
    spoken = client(speaking)
    assert spoken.is_server_live(headers=key())
    assert spoken.is_server_ready(headers=key())
    assert spoken.is_model_ready("cellar", headers=key())
    assert spoken.is_model_ready("wine", "1", headers=key())
    assert not spoken.is_model_ready("cellar", "7", headers=key())
    assert spoken.get_server_metadata(headers=key())["extensions"] == ["binary_tensor_data"]
    found = spoken.get_model_metadata("cellar", headers=key())
    assert found["versions"] == ["1"]
    assert found["inputs"][2] == {"name": "proline", "datatype": "INT64", "shape": [-1]}
    assert found["outputs"] == [{"name": "predictions", "datatype": "BYTES", "shape": [-1]}]
    image = client(speaking, "digits").get_model_metadata("digits", headers=key())["inputs"]
    assert image == [{"name": "input-0", "datatype": "FP32", "shape": [-1, 8, 8]}]


@pytest.mark.slow
def test_a_client_of_others_is_told_what_is_wrong(speaking: Gateway) -> None:
    spoken = client(speaking)
    good = columns(RECORD, binary=True)
    other = [InferRequestedOutput("x")]
    for told, ask in (
        ("records[0].proline: Expected a whole number", lambda: spoken.infer("cellar", good[:2], headers=key())),
        ("does not serve beer", lambda: spoken.infer("beer", good, headers=key())),
        ("does not serve cellar version 9", lambda: spoken.infer("cellar", good, "9", headers=key())),
        ("No API key was sent", lambda: spoken.infer("cellar", good)),
        ("no output", lambda: spoken.infer("cellar", good, outputs=other, headers=key())),
        ("does not serve beer", lambda: spoken.get_model_metadata("beer", headers=key())),
        ("See /acme/wine/openapi.json", lambda: spoken.get_model_repository_index(headers=key())),
        ("See /acme/wine/openapi.json", lambda: spoken.get_inference_statistics("cellar", headers=key())),
    ):
        with pytest.raises(InferenceServerException) as caught:
            ask()  # type: ignore[no-untyped-call]
        assert told in caught.value.message()


def column(**more: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP64", "shape": [2], "data": [1.5, 2], **more}


def one(kind: str, **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "type": kind, "required": True, **more}]}


def rows(body: Any, signature: Any, raw: bytes | None = None) -> Any:
    if raw is None:
        return asking.ask("v2", body, signature=signature).frame.rows
    data = orjson.dumps(body)
    headers = {b"inference-header-content-length": b"%d" % len(data)}
    return asking.ask("v2", data + raw, headers=headers, signature=signature).frame.rows


def test_data_may_be_nested_or_flat() -> None:
    spec = {"inputs": [{"type": "tensor", "tensor": {"dtype": "int64", "shape": [-1, 2, 2]}}]}
    for data in ([[[1, 2], [3, 4]]], [1, 2, 3, 4]):
        body = {"inputs": [column(datatype="INT64", shape=[1, 2, 2], data=data)]}
        assert rows(body, spec) == [([[1, 2], [3, 4]],)]


def test_a_matrix_stands_for_all_columns_in_their_order() -> None:
    signature = {"inputs": [{"name": name, "type": "double", "required": True} for name in "ab"]}
    assert rows({"inputs": [column(shape=[1, 2])]}, signature) == [(1.5, 2)]


def test_bytes_of_a_column_of_bytes_become_base64() -> None:
    body = {"inputs": [column(datatype="BYTES", shape=[1], data=["hé"])]}
    assert rows(body, one("binary")) == [("aMOp",)]
    body = {"inputs": [column(datatype="BYTES", shape=[1], data=["aMOp"], parameters={"content_type": "base64"})]}
    assert rows(body, one("binary")) == [("aMOp",)]
    raw = {"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 6}}]}
    assert rows(raw, one("binary"), b"\2\0\0\0\xff\0") == [("/wA=",)]
    with pytest.raises(Wrong, match="no UTF-8"):
        rows(raw, one("string"), b"\2\0\0\0\xff\0")


def test_lists_and_objects_are_columns_too() -> None:
    assert rows({"inputs": [column(shape=[1, 2])]}, one("array", items={"type": "double"})) == [([1.5, 2],)]
    body = {"inputs": [column(datatype="BYTES", shape=[1], data=['{"a": [1]}'])]}
    assert rows(body, one("object")) == [({"a": [1]},)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, 'The name of an input is text ""'),
        ({"datatype": "FP8"}, 'The datatype of x is text "FP8"'),
        ({"shape": [-1]}, "The shape of x is a list [-1]"),
        ({"shape": [3]}, "x has 2 elements, but its shape [3] has 3"),
        ({"shape": [2, 1], "data": [[1], 2]}, "x has the number 2 in place of a list in dimension 0"),
        ({"shape": [2, 1], "data": [[1], [2, 3]]}, "x has a list of 2 in place of 1 in dimension 1"),
        ({"data": [1, "a"]}, 'Element 1 of x is text "a", not FP64'),
        ({"datatype": "INT8", "data": [1, 128]}, "Element 1 of x is the number 128, which INT8 cannot hold"),
        ({"data": None}, "The data of x is null"),
        ({"shape": [1, 1_000_000, 1, 1], "data": None}, "The shape of x nests 2000001 lists"),
        ({"parameters": {"binary_data_size": 16}}, "x has data and binary_data_size"),
    ],
)
def test_a_tensor_that_is_none_is_told_with_its_name(change: dict[str, Any], told: str) -> None:
    with pytest.raises(Wrong) as caught:
        rows({"inputs": [column(**change)]}, one("double"))
    assert told in caught.value.told["error"]
    assert caught.value.response.status == 400


@pytest.mark.parametrize(
    ("size", "raw", "told"),
    [
        (16, b"\0" * 8, "only 8 bytes follow"),
        (8, b"\0" * 8, "x has 8 bytes, but 2 elements of FP64 have 16"),
        (16, b"\0" * 17, "1 bytes follow that belong to no tensor"),
        ("16", b"\0" * 16, 'binary_data_size of x is text "16"'),
        (16, b"\0\0\0\0\0\0\xf0\x7f" * 2, "Element 0 of x is infinite"),
    ],
)
def test_bytes_that_are_no_tensor_are_told(size: Any, raw: bytes, told: str) -> None:
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": size}}]}
    with pytest.raises(Wrong) as caught:
        rows(body, one("double"), raw)
    assert told in caught.value.told["error"]


@pytest.mark.parametrize("length", [b"-1", b"x", b"99", b"1" * 40])
def test_a_wrong_length_of_the_json_is_told(length: bytes) -> None:
    with pytest.raises(Wrong, match="the body has 2 bytes"):
        asking.ask("v2", b"{}", headers={b"inference-header-content-length": length})


def test_an_answer_has_the_id_of_the_request_or_of_the_prediction() -> None:
    header = {b"x-request-id": b"from the header"}
    for more, headers, expected in (
        ({"id": "mine"}, header, "mine"),
        ({}, header, "from the header"),
        ({}, {}, asking.ID),
    ):
        answered = asking.ask("v2", {"inputs": [column()], **more}, headers=headers, signature=one("double"))
        assert orjson.loads(answered.answer([1, 2]).body)["id"] == expected


def test_a_table_is_answered_by_one_output_per_column() -> None:
    signature = {**one("double"), "outputs": [{"name": "n", "type": "float"}, {"name": "t", "type": "string"}]}
    body = {"inputs": [column()], "outputs": [{"name": "n"}, {"name": "t", "parameters": {"binary_data": True}}]}
    response = asking.ask("v2", body, signature=signature).answer([{"n": 1.5, "t": "a"}, {"n": None, "t": "bc"}])
    headers = dict(response.headers)
    length = int(headers[b"Inference-Header-Content-Length"])
    told = orjson.loads(response.body[:length])
    assert told["outputs"] == [
        {"name": "n", "datatype": "FP32", "shape": [2], "data": [1.5, None]},
        {"name": "t", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 11}},
    ]
    assert response.body[length:] == b"\1\0\0\0a\2\0\0\0bc"


def test_signatures_of_trained_models_tell_their_tensors() -> None:
    assert signature_of("digits") is not None
    assert asking.served(signature_of("digits")).targets[0].signature.fields[0].shape == (8, 8)
