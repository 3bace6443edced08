"""ONNX: a session of onnxruntime, asked directly and on one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modelwright_runtime.server.inputs import Builder, Inputs
from modelwright_runtime.server.tensors import FixedBatch, Tensor, TensorBuilder

from .matrix import MatrixBuilder
from .ways import LoadError, Opened, PlainPredictor, Way

# Another number of threads adds up 32-bit numbers in another order.
ROUNDING = 1e-5

_DTYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(int64)": "int64",
    "tensor(int32)": "int32", "tensor(int16)": "int16", "tensor(int8)": "int8", "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16", "tensor(uint32)": "uint32", "tensor(uint64)": "uint64", "tensor(bool)": "bool",
    "tensor(string)": "object",
}  # fmt: skip
# The dtypes of columns in a signature.
_COLUMNS = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64", "boolean": "bool"}


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """Columns are gathered into the matrix of a model with one input, or fed one by one to a model with several."""
    session = open_session(opened.directory / opened.flavor("onnx")["data"], opened.flavor("onnx"))
    wanted = session.get_inputs()
    builder = _builder(opened.inputs, wanted)
    if builder is None:
        return None
    call: Callable[[Any], Any] = Session(session)
    sizes = {each.shape[0] for each in wanted if each.shape and isinstance(each.shape[0], int)}
    if len(sizes) == 1:
        call = FixedBatch(call, sizes.pop())
    return Way(builder, PlainPredictor(call), tolerance=ROUNDING)


def open_session(path: Path, conf: dict[str, Any]) -> Any:
    """A session with the providers that the model was logged with, as far as they are there. Raises `LoadError`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    given = conf.get("onnx_session_options") or {}
    options.intra_op_num_threads = int(given.get("intra_op_num_threads") or os.environ.get("OMP_NUM_THREADS", "1"))
    options.inter_op_num_threads = int(given.get("inter_op_num_threads") or 1)
    for key, value in (given.get("extra_session_config") or {}).items():
        options.add_session_config_entry(str(key), str(value))
    asked = conf.get("providers") or []
    there = onnxruntime.get_available_providers()
    providers = [tuple(p) if isinstance(p, list) else p for p in ([asked] if isinstance(asked, str) else asked)]
    usable = [p for p in providers if (p[0] if isinstance(p, tuple) else p) in there]
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=usable or ["CPUExecutionProvider"]
        )
    except Exception as error:
        raise LoadError(
            f"onnxruntime cannot open {path.name}: {error}; check its opset against onnxruntime's"
        ) from error


class Session:
    """Calls a session with an array or a dict of arrays; returns a dict of what it computes."""

    def __init__(self, session: Any) -> None:
        import numpy

        self._numpy = numpy
        self._session = session
        self._inputs = {each.name: (_DTYPES.get(each.type), each.shape) for each in session.get_inputs()}
        self._outputs = [each.name for each in session.get_outputs()]

    def __call__(self, data: Any) -> dict[str, Any]:
        """Outputs by name."""
        given = data if isinstance(data, dict) else {next(iter(self._inputs)): data}
        feed = {name: self._as(array, *self._inputs[name]) for name, array in given.items()}
        return dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))

    def _as(self, array: Any, dtype: str | None, shape: Sequence[Any]) -> Any:
        if dtype is not None and array.dtype != dtype:
            array = array.astype(dtype)
        if array.ndim == 1 and len(shape) == 2:
            array = array.reshape(-1, 1)  # a column of a table
        return array


def _builder(inputs: Inputs, wanted: Sequence[Any]) -> Builder | None:
    names = [each.name for each in wanted]
    if inputs.tensors:
        nameless = len(names) == 1 and inputs.tensors[0].name == ""
        return inputs.builder() if nameless or {t.name for t in inputs.tensors} == set(names) else None
    if len(names) == 1 and inputs.are_numbers():
        return MatrixBuilder([column.name for column in inputs.columns])
    if inputs.columns and {column.name for column in inputs.columns} == set(names):
        return TensorBuilder([Tensor(c.name, _COLUMNS.get(c.type, "object"), ()) for c in inputs.columns])
    return None
