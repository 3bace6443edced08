"""A body is refused for the number of its records before they are made."""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import Any

import orjson
import pytest

from models.gateway.protocols import v2_inputs
from tests.gateway import asking
from tests.gateway.asking import Wrong

COUNT = 200_000
TENSOR = {"inputs": [{"type": "tensor", "tensor": {"dtype": "int8", "shape": [-1]}}]}
RAW = {"name": "x", "datatype": "INT8", "shape": [COUNT], "parameters": {"binary_data_size": COUNT}}


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("mlflow", {"dataframe_split": {"columns": [], "data": [[]] * COUNT}}),
        ("mlflow", {"dataframe_split": {"columns": ["x"], "data": [[1]] * COUNT}}),
        ("mlflow", {"instances": [1] * COUNT}),
        ("mlflow", {"inputs": {"x": [1] * COUNT}}),
        ("tensorflow", {"instances": [1] * COUNT}),
        ("tensorflow", {"inputs": {"x": [1] * COUNT}}),
        ("v2", {"inputs": [{"name": "x", "datatype": "INT8", "shape": [COUNT], "data": [1] * COUNT}]}),
        ("v2", {"inputs": [RAW]}),
    ],
)
def test_too_many_records_are_refused_before_they_are_made(protocol: str, body: Any) -> None:
    data, headers = orjson.dumps(body), {}
    if body == {"inputs": [RAW]}:
        headers = {b"inference-header-content-length": b"%d" % len(data)}
        data += b"\1" * COUNT
    tracemalloc.start()
    try:
        with pytest.raises(Wrong, match="200000 records are more than the 10000 of one request"):
            asking.ask(protocol, data, headers=headers, signature=TENSOR)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A dictionary each would be 184 bytes or more.
    assert peak < COUNT * 140


def test_lists_of_one_element_are_counted_over_all_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v2_inputs, "MAX_LISTS", 20_000)
    one = {**RAW, "shape": [100] + [1] * 21, "parameters": {"binary_data_size": 100}}
    for count, is_refused in ((9, False), (10, True)):
        data = orjson.dumps({"inputs": [{**one, "name": f"x{index}"} for index in range(count)]})
        headers = {b"inference-header-content-length": b"%d" % len(data)}
        with pytest.raises(Wrong, match="nest 21000 lists") if is_refused else contextlib.nullcontext():
            asking.ask("v2", data + b"\1" * 100 * count, headers=headers, signature=None)
