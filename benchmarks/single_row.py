"""One row through a model and through its compiled form, without a gateway: microseconds, medians of turns.

`python single_row.py MODEL_DIRECTORY COMPILED_DIRECTORY RECORDS_FILE` in an environment with the model's libraries and
onnxruntime, `platform/runtime` on its path. A compiled directory is made by `python -m modelwright_runtime.compiling
--model MODEL_DIRECTORY --out COMPILED_DIRECTORY`. The records are a JSON list of objects.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from modelwright_runtime.server.compiled import load_compiled
from modelwright_runtime.server.loading import load

TURNS, SECONDS = 5, 1.0


def microseconds(model: Any, columns: list[str], rows: list[list[Any]]) -> float:
    """The mean time of one call with one row."""
    begun, count = time.perf_counter(), 0
    while (now := time.perf_counter()) - begun < SECONDS:
        model.predict(columns, [rows[count % len(rows)]])
        count += 1
    return (now - begun) / count * 1e6


def main(model: str, compiled: str, records: str) -> None:
    said = json.loads(Path(records).read_bytes())
    columns = list(said[0])
    rows = [[record[name] for name in columns] for record in said]
    models = {"original": load(Path(model)), "compiled": load_compiled(Path(compiled))}
    taken: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(TURNS):
        for name, each in models.items():
            taken[name].append(microseconds(each, columns, rows))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, median in medians.items():
        print(f"{name:10} {median:10.1f} µs a row   ({min(taken[name]):.1f} to {max(taken[name]):.1f})")
    print(f"ratio      {medians['original'] / medians['compiled']:10.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
