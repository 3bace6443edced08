"""`python -m modelwright_runtime.compiling --model DIR --out DIR [--result FILE]`: compile an MLflow model; prove it.

Runs inside a workload, in the model's own environment plus onnx and onnxruntime: loading a model runs code that came
with it. Writes `model.onnx` and `compiled.json` into `--out`, and as `--result` what came of it:
`{"verdict": "equal" | "different" | "impossible", "reason", "proof": {"rows", "digest", "labels", "scores", …}}`.
Exits with 0 whatever the verdict is, with 3 when the model cannot be loaded.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

from modelwright_runtime.results import write_result
from modelwright_runtime.server.loading import LoadError

from .verdict import reach

EXIT_LOAD = 3
MAX_TEXT = 4000


def main(arguments: list[str] | None = None) -> int:
    """Compile a model. Returns 0, or 3 when it cannot be loaded."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        result = reach(options.model, options.out)
    except LoadError as error:
        print(error, file=sys.stderr)
        _leave(options.result, {"error": str(error)[:MAX_TEXT]})
        return EXIT_LOAD
    _leave(options.result, result)
    print(f"{result['verdict']}: {result['reason']}")
    return 0


def _leave(path: Path | None, result: dict[str, Any]) -> None:
    if path is not None:
        write_result(path, result)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="modelwright_runtime.compiling")
    parser.add_argument("--model", type=Path, required=True, help="MLflow model directory (holds MLmodel)")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.onnx and compiled.json")
    parser.add_argument("--result", type=Path, help="where to write the verdict as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
