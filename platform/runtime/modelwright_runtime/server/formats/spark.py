"""Spark ML: a small session in this process's own Java machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Any

from modelwright_runtime.server.inputs import Inputs, Rows
from modelwright_runtime.server.results import Outcome

from .ways import LoadError, Opened, Way

_MEMORY = "MODELWRIGHT_SPARK_MEMORY"


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
        "spark.driver.memory": os.environ.get(_MEMORY, "1g"),
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
    """Leaves rows as they are, in the signature's order, with whole numbers for floating columns made floating."""

    def __init__(self, inputs: Inputs) -> None:
        self._order = [column.name for column in inputs.columns]
        self._floating = [column.type in ("double", "float") for column in inputs.columns]

    def build(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        places = [list(columns).index(name) for name in self._order]
        made = [
            tuple(
                float(row[place]) if floating and row[place] is not None else row[place]
                for place, floating in zip(places, self._floating, strict=True)
            )
            for row in rows
        ]
        return Rows(tuple(self._order), made)  # type: ignore[arg-type]


class _Predictor:
    """`transform`, and of its columns the prediction and the probabilities that it comes with."""

    def __init__(self, session: Any, model: Any, schema: Any) -> None:
        self._session = session
        self._model = model
        self._schema = schema

    def predict(self, data: Rows) -> Outcome:
        """One prediction per row; Spark's classes are numbered 0.0, 1.0, …"""
        table = self._session.createDataFrame(data.rows, self._schema, verifySchema=True)
        made = self._model.transform(table)
        wanted = [name for name in ("prediction", "probability") if name in made.columns]
        rows = made.select(*wanted).collect()
        predictions = [row["prediction"] for row in rows]
        if len(wanted) == 1 or not rows or len(rows[0]["probability"]) == 0:
            return Outcome(predictions)
        probabilities = [row["probability"].toArray().tolist() for row in rows]
        return Outcome(predictions, [float(index) for index in range(len(probabilities[0]))], probabilities)


def _schema(inputs: Inputs) -> Any:
    from pyspark.sql import types

    known = {
        "boolean": types.BooleanType(),
        "integer": types.IntegerType(),
        "long": types.LongType(),
        "float": types.FloatType(),
        "double": types.DoubleType(),
        "string": types.StringType(),
    }
    if not inputs.columns or any(column.type not in known for column in inputs.columns):
        return None
    return types.StructType([types.StructField(c.name, known[c.type], True) for c in inputs.columns])
