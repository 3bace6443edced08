"""What is fuzzed: functions that take any bytes and raise nothing unless the gateway is wrong."""

from __future__ import annotations

import asyncio
import functools
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import orjson

from models.gateway import feedback
from models.gateway.http import Connection, Limits, Request, Site, Slot
from models.gateway.responses import Response
from models.gateway.routes import RoutesError, parse
from tests.gateway.asking import ID, Wrong, ask, served
from tests.gateway.fuzz import declared
from tests.gateway.processes import RECORD, SIGNATURE

KINDS = ("boolean", "integer", "long", "float", "double", "string", "datetime", "binary", "array", "object", "any")
SIGNATURES: tuple[Any, ...] = (
    SIGNATURE,
    None,
    {"inputs": [{"name": kind, "type": kind, "required": False} for kind in KINDS], "outputs": []},
    {"inputs": [{"type": "tensor", "tensor": {"dtype": "float32", "shape": [-1, 2, 2]}}], "outputs": []},
    {
        "inputs": [
            {"name": "a", "type": "tensor", "tensor": {"dtype": "int8", "shape": [-1, -1]}},
            {"name": "b", "type": "tensor", "tensor": {"dtype": "object", "shape": [-1]}},
        ],
        "outputs": [{"name": "x", "type": "long"}, {"name": "y", "type": "string"}],
    },
)
PREDICTIONS: tuple[Any, ...] = (1, "a", 2.5, None, True, [1, 2], [[1.5], [2]], {"x": 1, "y": "b"}, [1, [2]], [])


def reads(protocol: str, body: bytes, content_type: bytes = b"", headers: Mapping[bytes, bytes] | None = None) -> int:
    """Whatever the body, it is records that fit, and can be sent and recorded, or a refusal in words. How many of the
    signatures it fits."""
    found = 0
    for signature in SIGNATURES:
        try:
            answered = ask(protocol, body, content_type=content_type, headers=headers or {}, signature=signature)
        except Wrong as wrong:
            _check_refusal(wrong.response)
            continue
        found += 1
        rows = answered.frame.rows
        assert rows
        assert len(rows) == len(answered.asked.records)
        orjson.dumps({"columns": answered.frame.columns, "rows": rows, "records": answered.asked.records})
        for value in PREDICTIONS[: 1 + len(body) % len(PREDICTIONS)]:
            response = answered.answer([value] * len(rows), [{"no": 0.25, "yes": 0.75}] * len(rows))
            assert response.status == 200
            length = dict(response.headers).get(b"Inference-Header-Content-Length", len(response.body))
            assert ID in str(response.headers)
            orjson.loads(response.body[: int(length)])
    return found


def _check_refusal(response: Response) -> None:
    assert response.status in (400, 413, 415, 422), response
    assert len(response.body) > 20


def own(data: bytes) -> None:
    """Bodies of `predict`."""
    reads("own", data)


def mlflow(data: bytes) -> None:
    """Bodies of `invocations` as JSON."""
    reads("mlflow", data)


def python(data: bytes) -> None:
    """The same, as Python's own writer of JSON has it."""
    reads("mlflow", data)


def csv(data: bytes) -> None:
    """Bodies of `invocations` as CSV."""
    reads("mlflow", data, b"text/csv")


def content_type(data: bytes) -> None:
    """Types of content."""
    reads("mlflow", b'{"instances": [1]}', data)


def v2(data: bytes) -> None:
    """Bodies of `infer` as JSON."""
    reads("v2", data)


def v2_bytes(data: bytes) -> None:
    """Bodies of `infer` whose first two bytes are the length of the JSON."""
    length = struct.unpack("<H", data[:2])[0] if len(data) > 1 else 0
    reads("v2", data[2:], headers={b"inference-header-content-length": b"%d" % length})


def v2_length(data: bytes) -> None:
    """Lengths of the JSON."""
    reads("v2", b'{"inputs": []}', headers={b"inference-header-content-length": data})


def tensorflow(data: bytes) -> None:
    """Bodies of `:predict`."""
    reads("tensorflow", data)


def truth(data: bytes) -> None:
    """Bodies of `feedback`."""
    try:
        assert feedback.items_of(data, 1e9)
    except feedback.BadFeedback as error:
        _check_refusal(error.response)


def path(data: bytes) -> None:
    """Paths of requests."""
    table = _table()
    for prefix in (b"", b"/acme/wine/", b"/acme/wine/v2/models/", b"/acme/wine/v1/models/cellar"):
        match = table.match(prefix + data)
        assert match is None or match.endpoint.name == "acme/wine"


def routes(data: bytes) -> None:
    """Route tables."""
    try:
        table = parse(data)
    except RoutesError:
        return
    for endpoint in table.endpoints.values():
        assert endpoint.pick(lambda _: False) in (None, *endpoint.weighted)
        if endpoint.units is not None:
            assert endpoint.weighted[endpoint.units.place("somebody")].weight > 0
        assert table.match(f"/{endpoint.name}/predict".encode()) is not None


def http(data: bytes) -> None:
    """What a connection receives; the first byte says in how many pieces."""
    wire = _Wire()
    connection = Connection(Site(_Handler(), Limits()))
    connection.connection_made(cast("asyncio.Transport", wire))
    rest = data[1:]
    size = max(1, len(rest) // (1 + data[0] % 7)) if data else 1
    for start in range(0, len(rest), size):
        if not wire.is_closed:
            connection.data_received(rest[start : start + size])
    connection.connection_lost(None)
    assert b"HTTP/1.1 500" not in wire.written


class _Wire:
    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.written += data

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class _Handler:
    """Answers with what was read."""

    def refuse(self, *_: Any) -> Response | None:
        return None

    def refused(self, path: bytes, response: Response) -> Response:
        return response

    def handle(self, request: Request, slot: Slot) -> None:
        slot.answer(Response(200, request.body))

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@functools.cache
def _table() -> Any:
    endpoint = served()
    from_bytes = {"revision": 1, "endpoints": {}}
    table = parse(orjson.dumps(from_bytes))
    return type(table)(1, {endpoint.name: endpoint})


_ALL = (own, mlflow, python, csv, content_type, v2, v2_bytes, v2_length, tensorflow, truth, path, routes, http)
TARGETS: dict[str, Callable[[bytes], Any]] = {**{target.__name__: target for target in _ALL}, **declared.TARGETS}

_TENSOR = {"name": "double", "datatype": "FP64", "shape": [2, 1], "data": [1.5, None]}
_RAW = {"name": "a", "datatype": "INT8", "shape": [1, 2], "parameters": {"binary_data_size": 2}}
_TEXT = {"name": "b", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 5}}
_BODY = orjson.dumps({"inputs": [_RAW, _TEXT], "outputs": [{"name": "x"}], "parameters": {"binary_data_output": True}})
_HEAD = b"POST /acme/wine/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nAuthorization: Bearer k\r\n\r\n{}"
_SPLIT = {"columns": list(RECORD), "data": [list(RECORD.values())]}

# What fuzzing begins with: inputs that are right, of every form.
SEEDS: dict[str, Sequence[bytes]] = {
    **declared.SEEDS,
    "own": tuple(
        orjson.dumps({"records": records})
        for records in ([RECORD], [{"double": 1, "array": [1]}], [{"": [[1, 2], [3, 4]]}], [{"a": [1], "b": "x"}])
    ),
    "mlflow": tuple(
        orjson.dumps(body)
        for body in (
            {"dataframe_split": _SPLIT},
            {"dataframe_records": [RECORD]},
            {"instances": [[[1, 2], [3, 4]]]},
            {"inputs": {"a": [[1]], "b": ["x"]}},
        )
    ),
    "python": (b'{"inputs": {"double": [NaN, 1e300]}}', b'{"dataframe_records": [{"double": NaN}]}'),
    "csv": (b"double,long,boolean,string\n1.5,2,true,x\n,NA,False,\"a,b\"\n", b"alcohol,proline\n1,2"),
    "content_type": (b"application/json; charset=utf-8", b"text/csv"),
    "v2": tuple(
        orjson.dumps(body)
        for body in (
            {"inputs": [_TENSOR], "id": "1"},
            {"inputs": [{**_TENSOR, "datatype": "BYTES", "name": "binary", "data": ["a", "b"]}]},
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2, 2], "data": [[[1, 2], [3, 4]]]}]},
        )
    ),
    "v2_bytes": (struct.pack("<H", len(_BODY)) + _BODY + b"\1\2\1\0\0\0x",),
    "v2_length": (b"14",),
    "tensorflow": tuple(
        orjson.dumps(body)
        for body in (
            {"instances": [RECORD], "signature_name": "serving_default"},
            {"instances": [{"string": {"b64": "YQ=="}, "binary": {"b64": "YQ=="}}]},
            {"inputs": {"a": [[1]], "b": [{"b64": "YQ=="}]}},
        )
    ),
    "truth": (
        orjson.dumps({"prediction_id": "0" * 32, "truth": 1, "happened_at": "2026-01-31T12:00:00Z"}),
        orjson.dumps([{"response": [1], "truth": "a"}]),
    ),
    "path": (b"/acme/wine/predict", b"v2/models/cellar/versions/1/infer", b"/versions/1:predict", b"a%20b/metadata"),
    "routes": (orjson.dumps({"revision": 1, "endpoints": {"a/b": {
        "endpoint_id": "e", "deployment_id": "d", "deployment_number": 1, "keys": {"k": "i"}, "redact": ["x"],
        "targets": [{"model_version_id": "v", "model": "m", "version": 1, "weight": 1, "sockets": ["/s"],
                     "signature": SIGNATURES[4], "example": {"a": [1]}}],
    }}}), *declared.ROUTES),
    "http": (
        b"\0" + _HEAD + _HEAD,
        b"\1" + _HEAD + _HEAD,
        b"\3POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"\1GET /health/live HTTP/1.0\r\nExpect: 100-continue\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    ),
}  # fmt: skip
