"""Keras models by their layers, ONNX files by their operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .nodes import Described, Node, class_of, node, tally

MAX_DEPTH = 4
_SETTINGS = (
    "units", "filters", "kernel_size", "strides", "padding", "activation", "rate", "pool_size", "input_dim",
    "output_dim", "return_sequences", "axis", "target_shape", "dtype",
)  # fmt: skip


def keras(model: Any) -> Described | None:
    """A Keras model with its layers; None for anything else."""
    if not hasattr(model, "layers") or not hasattr(model, "count_params"):
        return None
    made = _layers(model, 0)
    kinds = [type(layer).__name__ for layer in model.layers if type(layer).__name__ != "InputLayer"]
    return Described(f"{type(model).__name__} network ({tally(kinds)})", made)


def saved_model(model: Any) -> Described:
    """A TensorFlow module without layers: how many weights it has, and its functions."""
    variables = list(getattr(model, "variables", None) or [])
    signatures = getattr(model, "signatures", None)
    params: dict[str, Any] = {
        "variables": len(variables),
        "weights": sum(_size(variable) for variable in variables),
        "functions": [str(name) for name in signatures] if signatures else [],
    }
    return Described("TensorFlow SavedModel", node("SavedModel", "tensorflow.Module", params))


def _layers(model: Any, depth: int) -> Node:
    params: dict[str, Any] = {"layers": len(model.layers), "weights": int(model.count_params())}
    params["trainable weights"] = sum(_size(weight) for weight in model.trainable_weights)
    for name in ("optimizer", "loss"):
        value = getattr(model, name, None)
        if value is not None:
            params[name] = value if isinstance(value, str) else type(value).__name__
    children = [(str(layer.name), _layer(layer, depth + 1)) for layer in model.layers] if depth < MAX_DEPTH else []
    return node(type(model).__name__, class_of(model), params, children=children)


def _layer(layer: Any, depth: int) -> Node:
    if hasattr(layer, "layers") and hasattr(layer, "count_params"):
        return _layers(layer, depth)
    try:
        config = layer.get_config()
    except Exception:
        config = {}
    params = {name: config[name] for name in _SETTINGS if name in config and not isinstance(config[name], dict)}
    params.pop("dtype", None)
    params["weights"] = int(layer.count_params())
    return node(type(layer).__name__, class_of(layer), params)


def _size(weight: Any) -> int:
    size = 1
    for each in weight.shape:
        size *= int(each)
    return size


def onnx(session: Any, path: Path) -> Described:
    """An ONNX file: what made it, what it takes and gives, and its operators where the package `onnx` is there."""
    meta = session.get_modelmeta()
    params: dict[str, Any] = {"producer": meta.producer_name or "unknown", "graph": meta.graph_name}
    for each in session.get_inputs():
        params[f"input {each.name}"] = f"{each.type} {list(each.shape)}"
    for each in session.get_outputs():
        params[f"output {each.name}"] = f"{each.type} {list(each.shape)}"
    operators = _operators(path, params)
    told = tally(name for name in operators if name not in _PLUMBING) or tally(operators)
    return Described(f"ONNX ({told})" if told else f"ONNX of {params['producer']}", node("ONNX graph", "onnx", params))


# Operators that only move data around; a summary is about the others.
_PLUMBING = {
    "ArrayFeatureExtractor", "Cast", "Concat", "Constant", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice",
    "Squeeze", "Transpose", "Unsqueeze", "ZipMap",
}  # fmt: skip


def _operators(path: Path, params: dict[str, Any]) -> list[str]:
    try:
        import onnx as package

        model = package.load(str(path), load_external_data=False)
    except Exception:
        return []
    params["opset"] = ", ".join(f"{each.domain or 'ai.onnx'} {each.version}" for each in model.opset_import)
    names = [each.op_type for each in model.graph.node]
    params["operators"] = tally(names, 12)
    return names
