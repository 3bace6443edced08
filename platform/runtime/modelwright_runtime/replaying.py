"""`python -m modelwright_runtime.replaying --model DIR --input FILE --out FILE`: ask a model what others were asked.

Runs inside a workload, in the environment of the version, on the model itself or, with `--compiled DIR` in its place,
on what was compiled from it. The input is `{"shapes": [[column, …], …], "requests": [[number of its shape, [row, …]],
…]}`, each row as a replica gets it. Requests are asked one after the other, as each came by itself. Writes `{"answers":
[{"ms", "predictions", "classes", "probabilities"} | {"ms", "error"}, …], "load_seconds", "python", "platform"}` with
one answer for each request, or `{"error"}` and exits with 3 when the model cannot be loaded, with 4 when the answers
are more than can be handed in.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelwright_runtime.results import write_whole
from modelwright_runtime.server import codec
from modelwright_runtime.server.compiled import load_compiled
from modelwright_runtime.server.loading import load

EXIT_LOAD, EXIT_TOO_LARGE = 3, 4
MAX_TEXT = 500
# What a host hands in of a result.
MAX_RESULT_BYTES = 8 * 1024 * 1024
WARM_UP = 3


def main(arguments: list[str] | None = None) -> int:
    """Ask every request once. Returns 0, 3 when the model cannot be loaded, 4 when the answers are too many."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # As in a model server: the number of threads inside the libraries may change the last digits.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    asked = codec.decode(options.input.read_bytes())
    began = time.perf_counter()
    try:
        model = load(options.model) if options.compiled is None else load_compiled(options.compiled)
    except BaseException as error:  # a model's code may raise anything, SystemExit too
        return _fail(options.out, f"The model cannot be loaded: {_said(error)}", EXIT_LOAD)
    load_seconds = time.perf_counter() - began
    result = {
        "answers": list(_answers(model, asked["shapes"], asked["requests"])),
        "load_seconds": load_seconds,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    content = codec.encode(result)
    if len(content) > MAX_RESULT_BYTES:
        said = f"The answers take {len(content)} bytes, and at most {MAX_RESULT_BYTES} can be handed in."
        return _fail(options.out, said, EXIT_TOO_LARGE)
    write_whole(options.out, content)
    print(f"asked {len(asked['requests'])} requests")
    return 0


def _answers(model: Any, shapes: list[list[str]], requests: list[list[Any]]) -> Iterator[dict[str, Any]]:
    # What is loaded at the first call would else count as the latency of the first requests.
    for shape, rows in requests[:WARM_UP]:
        _ask(model, shapes[shape], rows)
    for shape, rows in requests:
        yield _ask(model, shapes[shape], rows)


def _ask(model: Any, columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        outcome = model.predict(columns, rows)
        ms = (time.perf_counter() - began) * 1000
        outcome.check(len(rows))
        answer = outcome.part(0, len(rows))
        # One answer that JSON cannot say is that request's trouble alone.
        codec.encode(answer)
    except BaseException as error:
        return {"ms": (time.perf_counter() - began) * 1000, "error": _said(error)}
    return {"ms": ms, **answer}


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:MAX_TEXT]


def _fail(path: Path, message: str, code: int) -> int:
    print(message, file=sys.stderr)
    write_whole(path, codec.encode({"error": message}))
    return code


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="modelwright_runtime.replaying", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path, help="MLflow model directory (holds MLmodel)")
    what.add_argument("--compiled", type=Path, help="folder of a compiled model")
    parser.add_argument("--input", type=Path, required=True, help="shapes and requests as JSON")
    parser.add_argument("--out", type=Path, required=True, help="where to write the result as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
