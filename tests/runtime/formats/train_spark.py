"""Trains a Spark ML pipeline; runs in the environment `spark`, with Java: `python train_spark.py DIRECTORY`."""

import os
import sys
from pathlib import Path

import mlflow.spark
import pandas
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, Schema
from modelwright_runtime.server.formats.spark import open_session
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StandardScaler, StringIndexer, VectorAssembler
from training import keep, table_rows


def main(directory: Path) -> None:
    session = open_session()
    rows = [(float(x), x % 7, "light" if x % 3 else "dark", float(x > 20 or x % 7 > 5)) for x in range(40)]
    names = ["alcohol", "proline", "shade", "label"]
    table = session.createDataFrame(rows, names)
    pipeline = Pipeline(
        stages=[
            StringIndexer(inputCol="shade", outputCol="shade_index"),
            VectorAssembler(inputCols=["alcohol", "proline", "shade_index"], outputCol="raw"),
            StandardScaler(inputCol="raw", outputCol="features"),
            LogisticRegression(maxIter=5),
        ]
    ).fit(table)
    example = pandas.DataFrame([row[:3] for row in rows[18:24]], columns=names[:3])
    said = pipeline.transform(session.createDataFrame(table_rows(example), names[:3])).collect()
    mlflow.spark.save_model(
        pipeline,
        str(directory / "spark_classifier"),
        signature=ModelSignature(
            Schema([ColSpec("double", "alcohol"), ColSpec("long", "proline"), ColSpec("string", "shade")]),
            Schema([ColSpec("double", "prediction")]),
        ),
        input_example=example,
        pip_requirements=["pyspark"],
    )
    keep(
        directory / "spark_classifier",
        table_rows(example),
        [row["prediction"] for row in said],
        columns=names[:3],
        classes=[0.0, 1.0],
        probabilities=[row["probability"].toArray().tolist() for row in said],
        wrong=["text", 1, "dark"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)
