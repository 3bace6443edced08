"""What the training programs share: what each library itself says is kept beside its model."""

import json
from pathlib import Path
from typing import Any


def keep(
    model: Path,
    rows: Any,
    predictions: Any,
    *,
    columns: Any = ("",),
    classes: Any = None,
    probabilities: Any = None,
    wrong: Any = None,
) -> None:
    """Write `<model>.json`: rows as a gateway sends them, what the library answers, and a row that no model takes."""
    answer = {"predictions": predictions}
    if probabilities is not None:
        answer |= {"classes": list(classes), "probabilities": probabilities}
    document = {"columns": list(columns), "rows": rows, "answer": answer, "wrong": wrong}
    model.with_suffix(".json").write_text(json.dumps(document, default=_plain).replace("NaN", "null"))


def table_rows(table: Any) -> Any:
    """The cells of a DataFrame row by row, None where one is missing."""
    cells = table.astype(object)
    return cells.where(cells.notna(), None).to_numpy().tolist()


def _plain(value: Any) -> Any:
    return value.tolist()
