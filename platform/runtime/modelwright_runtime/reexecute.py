"""`python -m modelwright_runtime.reexecute --model DIR --input FILE --out FILE`: make a recorded prediction again.

Runs inside a workload, in the environment of the version that answered, and by the path that answered: the model itself
or, with `--compiled DIR` in its place, what was compiled from it. The input is `{"columns": [...], "rows": [[...]]}`,
as a replica gets it. Writes `{"answer": {"predictions", "classes", "probabilities"}, "python", "platform"}`, or
`{"error"}` and exits with 3 when the model cannot be loaded, with 4 when it raises.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
from pathlib import Path

from modelwright_runtime.results import write_whole
from modelwright_runtime.server import codec
from modelwright_runtime.server.compiled import load_compiled
from modelwright_runtime.server.loading import load

EXIT_LOAD, EXIT_PREDICT = 3, 4
MAX_TEXT = 2000


def main(arguments: list[str] | None = None) -> int:
    """Predict once. Returns 0, 3 when the model cannot be loaded, 4 when it raises."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # As in a model server: the number of threads inside the libraries may change the last digits.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    asked = codec.decode(options.input.read_bytes())
    try:
        model = load(options.model) if options.compiled is None else load_compiled(options.compiled)
    except BaseException as error:  # a model's code may raise anything, SystemExit too
        return _fail(options.out, f"The model cannot be loaded: {_said(error)}", EXIT_LOAD)
    try:
        outcome = model.predict(asked["columns"], asked["rows"])
    except BaseException as error:
        return _fail(options.out, f"The model cannot predict the recorded input: {_said(error)}", EXIT_PREDICT)
    answer = outcome.part(0, len(asked["rows"]))
    result = {"answer": answer, "python": platform.python_version(), "platform": platform.platform()}
    write_whole(options.out, codec.encode(result))
    print(f"predicted {len(asked['rows'])} records")
    return 0


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:MAX_TEXT]


def _fail(path: Path, message: str, code: int) -> int:
    print(message, file=sys.stderr)
    write_whole(path, codec.encode({"error": message}))
    return code


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="modelwright_runtime.reexecute", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path, help="MLflow model directory (holds MLmodel)")
    what.add_argument("--compiled", type=Path, help="folder of the compiled model that answered")
    parser.add_argument("--input", type=Path, required=True, help="columns and rows as JSON")
    parser.add_argument("--out", type=Path, required=True, help="where to write the result as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
