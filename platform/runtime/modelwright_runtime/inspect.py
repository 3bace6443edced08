"""`python -m modelwright_runtime.inspect --model DIR --out FILE`: which algorithm an MLflow model holds.

Runs inside a workload, in the model's own environment: loading a model runs code that came with it.
Writes `{"flavor", "summary", "algorithm": {"name", "class", "params", "members", "children": [{"role", …}]}}`, or
`{"error"}` and exits with 3 when the model cannot be loaded.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelwright_runtime.inspecting import boosting, networks, others
from modelwright_runtime.inspecting.nodes import Described, is_plain
from modelwright_runtime.results import write_result
from modelwright_runtime.server.formats.choosing import loader
from modelwright_runtime.server.formats.ways import Opened
from modelwright_runtime.server.loading import open_model

EXIT_LOAD = 3
MAX_DEPTH = 12
MAX_CHILDREN = 60
MAX_TEXT = 120
MAX_NODES = 400

# Worth showing even where they have their default values.
_ALWAYS = {
    "C", "alpha", "criterion", "eta0", "hidden_layer_sizes", "kernel", "learning_rate", "loss", "max_depth",
    "max_iter", "n_components", "n_estimators", "n_neighbors", "penalty", "strategy", "voting", "cv", "method",
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Inspect a model. Returns 0, or 3 when it cannot be loaded."""
    options = _parse(arguments)
    try:
        result = inspect(options.model)
    except BaseException as error:  # a model's code may raise anything, SystemExit too
        message = f"{type(error).__name__}: {error}"[:2000]
        print(f"The model cannot be loaded: {message}", file=sys.stderr)
        write_result(options.out, {"error": message})
        return EXIT_LOAD
    write_result(options.out, result)
    print(result["summary"])
    return 0


def inspect(directory: Path) -> dict[str, Any]:
    """Load the model of an MLflow model directory and describe it. Raises whatever loading raises."""
    opened = open_model(directory)
    metadata = opened.pyfunc.metadata
    flavors = [name for name in metadata.flavors if name != "python_function"]
    model = _raw(opened.pyfunc)
    described = _by_format(opened, loader(metadata), model) or Described(summary(model), Walk().node(model, 0))
    return {
        "flavor": flavors[0] if flavors else "python_function",
        "summary": described.summary[:MAX_TEXT],
        "algorithm": boosting.add_trees(model, described.algorithm),
    }


def _by_format(opened: Opened, loader_module: str, model: Any) -> Described | None:
    """The description of a format that has one of its own; scikit-learn's estimators are walked through instead."""
    if loader_module == "mlflow.onnx":
        return networks.onnx(model, opened.directory / str(opened.flavor("onnx").get("data", "model.onnx")))
    if loader_module in ("mlflow.keras", "mlflow.tensorflow"):
        return networks.keras(model) or networks.saved_model(model)
    if loader_module == "mlflow.spark":
        return others.spark(model)
    if loader_module == "modelwright_runtime.flavors.pmml":
        return others.pmml(model)
    if loader_module in ("modelwright_runtime.flavors.python_class", "mlflow.pyfunc.model"):
        return others.own_class(model)
    return boosting.booster(model)


def _raw(pyfunc: Any) -> Any:
    for way in ("get_raw_model", "unwrap_python_model"):
        try:
            raw = getattr(pyfunc, way)()
        except Exception:  # noqa: S112 - not every flavour has either
            continue
        if raw is not None:
            return raw
    return pyfunc


def summary(model: Any) -> str:
    """The algorithm in a few words: what predicts, seen through pipelines and searches."""
    model = _predictor(model)
    name = type(model).__name__
    members = [type(_predictor(member)).__name__ for member in _given_members(model)]
    return f"{name} of {', '.join(dict.fromkeys(members))}" if members else name


def _predictor(model: Any, depth: int = 0) -> Any:
    """What predicts in the end: the last step of a pipeline, the best of a search."""
    if depth < MAX_DEPTH:
        if _is_pipeline(model):
            return _predictor(model.steps[-1][1], depth + 1)
        if hasattr(model, "best_estimator_"):
            return _predictor(model.best_estimator_, depth + 1)
    return model


def _is_pipeline(model: Any) -> bool:
    return isinstance(getattr(model, "steps", None), list) and bool(model.steps)


def _given_members(model: Any) -> list[Any]:
    """The different estimators that a person combined: of a vote, a stack, a bag, a chain."""
    named = getattr(model, "estimators", None)
    if isinstance(named, list):
        members = [pair[1] for pair in named if isinstance(pair, tuple) and len(pair) > 1]
        return [member for member in members if not isinstance(member, str)]
    try:
        base = model.get_params(deep=False).get("estimator")
    except Exception:
        return []
    return [base] if hasattr(base, "get_params") else []


class Walk:
    """Describes a model and everything inside it, up to MAX_NODES things."""

    def __init__(self) -> None:
        self._count = 0

    def node(self, model: Any, depth: int) -> dict[str, Any]:
        """The tree of `model`."""
        self._count += 1
        kind = type(model)
        made: dict[str, Any] = {
            "name": kind.__name__[:MAX_TEXT],
            "class": f"{kind.__module__}.{kind.__qualname__}"[:MAX_TEXT],
            "params": _params(model),
            "members": _member_count(model),
        }
        children: list[dict[str, Any]] = []
        for role, child in self._children(model) if depth < MAX_DEPTH else ():
            if len(children) >= MAX_CHILDREN or self._count >= MAX_NODES:
                made["cut"] = True
                break
            children.append({"role": role[:MAX_TEXT], **self.node(child, depth + 1)})
        made["children"] = children
        return made

    def _children(self, model: Any) -> Iterator[tuple[str, Any]]:
        if _is_pipeline(model):
            yield from ((str(name), step) for name, step in model.steps if not isinstance(step, str))
            return
        transformers = getattr(model, "transformers_", None) or getattr(model, "transformers", None)
        if isinstance(transformers, list):
            yield from _transformers(transformers)
            return
        if isinstance(getattr(model, "transformer_list", None), list):
            yield from ((str(name), step) for name, step in model.transformer_list if not isinstance(step, str))
            return
        if hasattr(model, "best_estimator_"):
            yield "best estimator", model.best_estimator_
            return
        named = getattr(model, "estimators", None)
        if isinstance(named, list):
            yield from (
                (str(pair[0]), pair[1])
                for pair in named
                if isinstance(pair, tuple) and len(pair) > 1 and not isinstance(pair[1], str)
            )
        else:
            first = _first_member(model)
            if first is not None:
                yield "each member, for example", first
        for attribute, role in (("final_estimator_", "final estimator"), ("regressor_", "regressor")):
            if getattr(model, attribute, None) is not None:
                yield role, getattr(model, attribute)
        if isinstance(getattr(model, "calibrated_classifiers_", None), list) and model.calibrated_classifiers_:
            yield "calibrated", getattr(model.calibrated_classifiers_[0], "estimator", None) or model.estimator


def _transformers(transformers: list[Any]) -> Iterator[tuple[str, Any]]:
    for item in transformers:
        name, step, columns = item[0], item[1], item[2] if len(item) > 2 else []
        if isinstance(step, str):
            if step == "drop":
                continue
            step = _Passed()
        yield f"{name}: {_columns(columns)}", step


class _Passed:
    """Columns that are passed on as they are."""


def _columns(columns: Any) -> str:
    if isinstance(columns, (list, tuple)) or hasattr(columns, "tolist"):
        names = [str(name) for name in list(columns)]
        return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return str(columns)[:40]


def _fitted(model: Any) -> list[Any]:
    members = getattr(model, "estimators_", None)
    if members is None:
        return []
    flat = members.ravel().tolist() if hasattr(members, "ravel") else list(members)
    return [member for member in flat if not isinstance(member, str)]


def _member_count(model: Any) -> int | None:
    try:
        count = len(_fitted(model))
    except Exception:
        return None
    if not count and isinstance(getattr(model, "n_iter_", None), int) and hasattr(model, "_predictors"):
        count = len(model._predictors)
    return count or None


def _first_member(model: Any) -> Any:
    try:
        members = _fitted(model)
    except Exception:
        return None
    return members[0] if members else None


def _params(model: Any) -> dict[str, Any]:
    """The plain parameters that differ from their defaults, and the main ones in any case."""
    get_params = getattr(model, "get_params", None)
    if not callable(get_params):
        return {}
    try:
        values = get_params(deep=False)
        defaults = _defaults(type(model))
    except Exception:
        return {}
    shown = {}
    for name, value in sorted(values.items()):
        if not is_plain(value) or value in ("deprecated", "warn"):
            continue
        if value is None and name not in defaults:  # an estimator that takes anything, such as XGBoost's
            continue
        if name not in _ALWAYS and name in defaults and _same(defaults[name], value):
            continue
        shown[str(name)[:MAX_TEXT]] = value[:MAX_TEXT] if isinstance(value, str) else value
    return shown


def _defaults(kind: type) -> dict[str, Any]:
    # `inspect` of the standard library would be this module when it is run as a script.
    code, values = kind.__init__.__code__, kind.__init__.__defaults__ or ()  # type: ignore[misc]
    names = code.co_varnames[: code.co_argcount]
    positional = dict(zip(names[len(names) - len(values) :], values, strict=True))
    return {**positional, **(kind.__init__.__kwdefaults__ or {})}  # type: ignore[misc]


def _same(default: Any, value: Any) -> bool:
    return type(default) is type(value) and bool(default == value)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="modelwright_runtime.inspect")
    parser.add_argument("--model", type=Path, required=True, help="MLflow model directory (holds MLmodel)")
    parser.add_argument("--out", type=Path, required=True, help="where to write the result as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
