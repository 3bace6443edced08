"""The limit of a model itself: its own `predict` in a loop, on batches that are there already.

`python bare_predict.py MODEL_DIRECTORY RECORDS_FILE` reads numbers of seconds from its input, one a line, and answers
each with a JSON object: rows a second in batches of 64.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy
import pandas

ROWS = 64


def batches(records: list[Any], dtype: str | None) -> list[Any]:
    """Batches of 64 rows, as the model takes them."""
    if isinstance(records[0], dict):
        whole: Any = pandas.DataFrame(records)
    else:
        whole = numpy.array(records, dtype=dtype)
    return [whole[start : start + ROWS] for start in range(0, len(records) - ROWS + 1, ROWS)]


def main(directory: str, records: str) -> None:
    pyfunc = mlflow.pyfunc.load_model(directory)
    signature = pyfunc.metadata.signature.inputs
    dtype = str(signature.inputs[0].type) if signature.is_tensor_spec() else None
    raw = pyfunc.get_raw_model()
    predict = raw.predict_on_batch if hasattr(raw, "predict_on_batch") else raw.predict
    prepared = batches(json.loads(Path(records).read_bytes()), dtype)
    for batch in prepared:
        predict(batch)
    print("ready", flush=True)
    for line in sys.stdin:
        begun, end, count = time.perf_counter(), time.perf_counter() + float(line), 0
        while time.perf_counter() < end:
            predict(prepared[count % len(prepared)])
            count += 1
        print(json.dumps({"rows_per_second": round(count * ROWS / (time.perf_counter() - begun), 1)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
