"""Keras: one traced call of the model, where `predict` sets up a loop over batches each time. TensorFlow modules too.

Functions of a SavedModel are asked in mlflow's way, which is a direct call already.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from modelwright_runtime.server.inputs import Builder, Inputs
from modelwright_runtime.server.tensors import FixedBatch

from .matrix import MatrixBuilder
from .ways import Opened, PlainPredictor, Way

# Sums of 32-bit numbers in another order.
ROUNDING = 1e-5


def prepare() -> None:
    """TensorFlow says only what is wrong."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def way(opened: Opened) -> Way | None:
    """None for what is no Keras model, or has no signature to trace the call by."""
    model = opened.raw()
    inputs = opened.inputs
    if opened.flavor("tensorflow").get("model_type") == "tf2-module":
        return Way(inputs.builder(), PlainPredictor(_module(model)), tolerance=ROUNDING) if inputs.tensors else None
    if not _is_keras(model) or opened.flavor("keras").get("save_exported_model"):
        return None
    builder: Builder
    if inputs.tensors:
        builder = inputs.builder()
    elif inputs.are_numbers():
        builder = MatrixBuilder([column.name for column in inputs.columns])
    else:
        return None
    call: Callable[[Any], Any] = _traced(model, inputs) if _on_tensorflow() else _called(model)
    if inputs.batch is not None:
        call = FixedBatch(call, inputs.batch)
    names = [str(name) for name in getattr(model, "output_names", None) or ()]

    def named(returned: Any) -> Any:
        if isinstance(returned, (list, tuple)) and len(returned) == len(names) > 1:
            return dict(zip(names, returned, strict=True))
        return returned

    def predict(data: Any) -> Any:
        returned = named(_arrays(call(data)))
        # mlflow answers a table with a table, whose columns are numbers.
        return returned if inputs.tensors or isinstance(returned, dict) else _as_columns(returned)

    return Way(builder, PlainPredictor(predict), tolerance=ROUNDING, named=named)


def _module(model: Any) -> Callable[[Any], Any]:
    """Its `__call__`, with the array alone where there is one input: mlflow gives none to a signature with names."""
    import tensorflow as tf

    def call(data: Any) -> Any:
        given = {name: tf.constant(array) for name, array in data.items()} if isinstance(data, dict) else data
        alone = next(iter(given.values())) if isinstance(given, dict) and len(given) == 1 else given
        return _arrays(model(alone if isinstance(alone, dict) else tf.convert_to_tensor(alone)))

    return call


def _is_keras(model: Any) -> bool:
    return any(kind.__module__.split(".")[0] in ("keras", "tf_keras") for kind in type(model).__mro__)


def _on_tensorflow() -> bool:
    import keras

    return not hasattr(keras, "backend") or bool(keras.backend.backend() == "tensorflow")


def _traced(model: Any, inputs: Inputs) -> Callable[[Any], Any]:
    """The call as one graph with a free batch axis, so that no size of a batch is traced anew."""
    import tensorflow as tf

    def spec(dtype: str, shape: tuple[int, ...]) -> Any:
        kind = tf.string if dtype in ("object", "str") else tf.as_dtype(dtype)
        return tf.TensorSpec((inputs.batch, *(None if size == -1 else size for size in shape)), kind)

    if not inputs.tensors:
        signature: Any = tf.TensorSpec((None, len(inputs.columns)), tf.float64)
    elif inputs.tensors[0].name == "" and len(inputs.tensors) == 1:
        signature = spec(inputs.tensors[0].dtype, inputs.tensors[0].shape)
    else:
        signature = {tensor.name: spec(tensor.dtype, tensor.shape) for tensor in inputs.tensors}
    call: Callable[[Any], Any] = tf.function(lambda data: model(data, training=False), input_signature=[signature])
    return call


def _called(model: Any) -> Callable[[Any], Any]:
    return lambda data: model(data, training=False)


def _arrays(returned: Any) -> Any:
    if isinstance(returned, dict):
        return {str(name): _arrays(value) for name, value in returned.items()}
    if isinstance(returned, (list, tuple)):
        return [_arrays(value) for value in returned]
    if hasattr(returned, "detach"):
        returned = returned.detach().cpu()
    return returned.numpy() if hasattr(returned, "numpy") else returned


def _as_columns(array: Any) -> dict[str, Any]:
    flat = array.reshape(len(array), -1)
    return {str(index): flat[:, index] for index in range(flat.shape[1])}
