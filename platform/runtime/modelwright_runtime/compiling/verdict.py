"""From a model's folder to a verdict: compile it, learn what the original refuses, compare the two on the probe set."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from modelwright_runtime.server import inputs
from modelwright_runtime.server.compiled import DESCRIPTION, MODEL, load_compiled
from modelwright_runtime.server.loading import load, open_model

from . import probing
from .conversion import Conversion, convert
from .graph import NotCompilableError
from .inputs import TEXT
from .proving import TOLERANCE, Comparison, Model, Said, ask, compare

_MAX_WORDS = 2000
_TELLING = ("onnx", "onnxruntime", "skl2onnx", "numpy", "scikit-learn", "xgboost", "lightgbm")
# The largest double that single precision rounds to a number, a little smaller; the next double is infinite there.
_LARGEST_SINGLE, _TOO_LARGE = math.nextafter(3.4028235677973366e38, 0.0), probing.TOO_LARGE


def reach(directory: Path, out: Path) -> dict[str, Any]:
    """Compile the model of `directory` into `out` and say what came of it. Raises `LoadError`."""
    opened = open_model(directory)
    if opened.pyfunc.metadata.flavors.get("python_function", {}).get("predict_fn", "predict") != "predict":
        return _impossible("it was logged to be asked by another method than predict")
    example = inputs.as_rows(inputs.example(opened.pyfunc.metadata, directory))
    raw = opened.pyfunc.get_raw_model() if hasattr(opened.pyfunc, "get_raw_model") else None
    try:
        conversion = convert(raw, opened.inputs, example)
    except NotCompilableError as error:
        return _impossible(str(error))
    except Exception as error:
        return _impossible(f"{type(raw).__name__} could not be converted ({type(error).__name__}: {error})")
    return _prove(conversion, load(directory), directory, out, example)


def _impossible(reason: str) -> dict[str, Any]:
    return {"verdict": "impossible", "reason": f"Not compiled: {reason}."[:2000], "proof": {"versions": _versions()}}


def _prove(
    conversion: Conversion, original: Model, directory: Path, out: Path, example: inputs.Rows | None
) -> dict[str, Any]:
    began = time.monotonic()
    is_tensor = conversion.plan.tensor is not None
    columns = [conversion.plan.tensor or ""] if is_tensor else [each.name for each in conversion.plan.columns]
    seeds = probing.seeds(conversion, directory, example)
    pools = probing.pools(conversion, seeds)
    asked = _Asked(original, columns, is_tensor)
    seeds, refused = _answered(asked, seeds)
    if not seeds:
        return _impossible(f"the original answers not even its own example ({refused})")
    try:
        _learn(conversion, asked, seeds[0], pools)
    except NotCompilableError as error:
        return _impossible(str(error))
    rows = probing.rows(conversion, seeds, pools)
    wanted = asked.all(rows)
    conversion.description["probabilities"] = any(said.probabilities is not None for said in wanted)
    _write(conversion, out)
    got = _Asked(load_compiled(out), columns, is_tensor).all(rows)
    found = compare(wanted, got)
    answered = sum(not said.refused for said in wanted)
    proof = {
        "rows": len(rows),
        "answered": answered,
        "refused": len(rows) - answered,
        "digest": probing.digest(columns, rows),
        "labels_different": found.labels,
        "refusals_different": found.refusals,
        "largest_difference": found.scores if math.isfinite(found.scores) else None,
        "tolerance": TOLERANCE,
        "edges": sum(len(edges) for edges in pools.edges),
        "seconds": round(time.monotonic() - began, 1),
        "versions": _versions(),
    }
    if found.worst is not None:
        proof["worst"] = {
            "row": dict(zip(columns, rows[found.worst.row], strict=False)),
            "what": found.worst.what[:1000],
        }
    verdict = "equal" if found.is_equal else "different"
    return {"verdict": verdict, "reason": _reason(found, answered, len(rows)), "proof": proof}


def _reason(found: Comparison, answered: int, rows: int) -> str:
    if found.is_equal:
        return (
            f"Proved equal on {rows} rows: all labels identical, scores at most {found.scores:.1e} apart"
            f"{f', and the same {rows - answered} rows refused' if answered < rows else ''}."
        )
    parts = []
    if found.labels:
        parts.append(f"{found.labels} labels differ")
    if found.scores > TOLERANCE:
        parts.append(f"scores differ by up to {found.scores:.1e}")
    if found.refusals:
        parts.append(f"{found.refusals} rows are refused by one of the two alone")
    worst = f" On the worst row {found.worst.what}." if found.worst else ""
    return f"Not equal on {rows} rows: {', '.join(parts)}.{worst}"[:2000]


class _Asked:
    """A model and the form in which it takes rows of the matrix's order."""

    def __init__(self, model: Model, columns: Sequence[str], is_tensor: bool) -> None:
        self._model, self._columns, self._is_tensor = model, columns, is_tensor

    def all(self, rows: Sequence[Sequence[Any]]) -> list[Said]:
        """What it says about each row."""
        return ask(self._model, self._columns, [[list(row)] for row in rows] if self._is_tensor else rows)

    def takes(self, row: Sequence[Any]) -> bool:
        """Whether it answers the row."""
        return not self.all([row])[0].refused


def _answered(asked: _Asked, seeds: list[list[Any]]) -> tuple[list[list[Any]], str]:
    said = asked.all(seeds)
    refused = next((each.refused for each in said if each.refused), "")
    return [row for row, each in zip(seeds, said, strict=True) if not each.refused], refused


def _learn(conversion: Conversion, asked: _Asked, base: list[Any], pools: probing.Pools) -> None:
    """Note in the description what the original refuses, so that the compiled model refuses it too."""
    if conversion.plan.tensor is not None:
        pools.takes_missing = [False] * conversion.plan.width
        pools.takes_unseen = [False] * conversion.plan.width
        conversion.description["missing"] = asked.takes([None, *base[1:]]) if base else False
    for index, column in enumerate(conversion.plan.columns):

        def with_value(value: Any, index: int = index) -> list[Any]:
            return [*base[:index], value, *base[index + 1 :]]

        said = conversion.description["columns"][index]
        said["missing"] = asked.takes(with_value(None))
        pools.takes_missing.append(said["missing"])
        if column.read != TEXT:
            pools.takes_unseen.append(False)
            continue
        takes_any = asked.takes(with_value(probing.UNSEEN))
        pools.takes_unseen.append(takes_any)
        if not takes_any:
            words = sorted(set(conversion.graph.words) | {each for each in pools.values[index] if each is not None})
            if len(words) > _MAX_WORDS:
                raise NotCompilableError(f"the column {column.name!r} takes certain texts only, and they are too many")
            said["known"] = [word for word in words if asked.takes(with_value(word))]
            for word in said["known"]:
                conversion.graph.words.setdefault(word, len(conversion.graph.words) + 2)
    conversion.description["limits"] = _limits(conversion, asked, base)


def _limits(conversion: Conversion, asked: _Asked, base: list[Any]) -> list[float | None]:
    """Per column of the matrix the largest number that the original takes, None where it takes any."""

    def takes(index: int) -> bool:
        return asked.takes([*base[:index], _TOO_LARGE, *base[index + 1 :]])

    if conversion.plan.tensor is not None:
        bounded = conversion.plan.dtype == "float64" and not takes(0)
        return [_LARGEST_SINGLE if bounded else None] * conversion.plan.width
    columns = enumerate(conversion.plan.columns)
    return [_LARGEST_SINGLE if each.read == "double" and not takes(index) else None for index, each in columns]


def _write(conversion: Conversion, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    conversion.description["words"] = conversion.graph.words
    (out / MODEL).write_bytes(conversion.content)
    (out / DESCRIPTION).write_text(json.dumps(conversion.description, allow_nan=False, separators=(",", ":")))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _TELLING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
