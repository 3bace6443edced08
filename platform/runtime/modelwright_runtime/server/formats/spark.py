"""Spark ML: a small session in this process's own Java machine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from typing import Any

from modelwright_runtime.server.inputs import Inputs
from modelwright_runtime.server.results import Outcome

from .ways import LoadError, Opened, Way

_HEAP = "1g"


def prepare() -> None:
    """Open the session that mlflow will find. Raises `LoadError` where Java is not installed."""
    if not has_java():
        raise LoadError(
            "a Spark model needs Java, and neither JAVA_HOME nor a java on the PATH leads to one; "
            "install a Java that this version of pyspark supports (17) on this host or in the environment's image"
        )
    open_session()


def has_java() -> bool:
    """Whether Spark would find a Java machine."""
    home = os.environ.get("JAVA_HOME")
    return bool(home and os.path.isfile(os.path.join(home, "bin", "java"))) or shutil.which("java") is not None


def open_session() -> Any:
    """A session with one thread, without pages and ports for others."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").appName("modelwright")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": _HEAP,
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        "spark.sql.session.timeZone": "UTC",
        "spark.log.level": "ERROR",
    }.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def way(opened: Opened) -> Way | None:
    """None where a column has a type that Spark is not given directly, or the signature names no columns."""
    model = opened.raw()
    schema = _schema(opened.inputs)
    if schema is None or not hasattr(model, "transform"):
        return None
    session = open_session()
    return Way(_RowsBuilder(opened.inputs), _Predictor(session, model, schema), tolerance=1e-12)


class _RowsBuilder:
    """Rows as JSON objects of the signature's columns, so that Spark reads them without a Python process of its own."""

    def __init__(self, inputs: Inputs) -> None:
        self._known = {column.name for column in inputs.columns}
        self._required = [column.name for column in inputs.columns if column.required]

    def build(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
        """Raises `ValueError` when a column is missing or unknown."""
        missing = [name for name in self._required if name not in columns]
        unknown = [name for name in columns if name not in self._known]
        if missing or unknown:
            raise ValueError(f"the model has no column {unknown[0]}" if unknown else f"{missing[0]} is missing")
        return json.dumps([dict(zip(columns, row, strict=True)) for row in rows])


class _Predictor:
    """`transform`, and of its columns the prediction and the probabilities that it comes with."""

    def __init__(self, session: Any, model: Any, schema: str) -> None:
        self._session = session
        self._model = model
        # What is no value of its column's type fails, and does not silently become null.
        self._query = f"SELECT inline(from_json(:rows, '{schema}', map('mode', 'FAILFAST')))"

    def predict(self, data: str) -> Outcome:
        """One prediction per row; Spark's classes are numbered 0.0, 1.0, …"""
        made = self._model.transform(self._session.sql(self._query, args={"rows": data}))
        wanted = [name for name in ("prediction", "probability") if name in made.columns]
        rows = made.select(*wanted).collect()
        predictions = [row["prediction"] for row in rows]
        if len(wanted) == 1 or not rows or len(rows[0]["probability"]) == 0:
            return Outcome(predictions)
        probabilities = [row["probability"].toArray().tolist() for row in rows]
        return Outcome(predictions, [float(index) for index in range(len(probabilities[0]))], probabilities)


# Types of MLflow's columns as Spark's.
_TYPES = {
    "boolean": "boolean", "integer": "int", "long": "bigint", "float": "float", "double": "double", "string": "string",
}  # fmt: skip


def _schema(inputs: Inputs) -> str | None:
    """The columns as a literal of Spark SQL; None where one has another type or a name that would end the literal."""
    if not inputs.columns or any(c.type not in _TYPES or "'" in c.name or "\\" in c.name for c in inputs.columns):
        return None
    fields = ", ".join("`" + c.name.replace("`", "``") + "`: " + _TYPES[c.type] for c in inputs.columns)
    return f"array<struct<{fields}>>"
