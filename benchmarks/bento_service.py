"""BentoML's service of the serving benchmark: the model without MLflow around it, with adaptive batching.

`Table` takes rows of a table, `Arrays` and `Images` arrays. BENCHMARK_MODEL is the MLflow model's folder.
"""

import os
from typing import Annotated, Any

import bentoml  # type: ignore[import-not-found, unused-ignore]
import mlflow.pyfunc
import numpy
import pandas
from bentoml.validators import DType  # type: ignore[import-not-found, unused-ignore]

BATCHES: dict[str, Any] = {"batchable": True, "batch_dim": 0, "max_batch_size": 64}


class Model:
    """What MLflow's own loader makes of the folder, and below it the library's object."""

    def __init__(self) -> None:
        self.raw = mlflow.pyfunc.load_model(os.environ["BENCHMARK_MODEL"]).get_raw_model()


@bentoml.service(workers=1)
class Table(Model):
    """A pipeline on pandas. Batches of rows, because BentoML 1.4.40 fails at batches of DataFrames."""

    @bentoml.api(**BATCHES)  # type: ignore[untyped-decorator, unused-ignore]
    def predict(self, rows: list[dict[str, Any]]) -> numpy.ndarray:
        return numpy.asarray(self.raw.predict(pandas.DataFrame(rows)))


@bentoml.service(workers=1)
class Arrays(Model):
    """An estimator on arrays."""

    @bentoml.api(**BATCHES)  # type: ignore[untyped-decorator, unused-ignore]
    def predict(self, rows: Annotated[numpy.ndarray, DType("float64")]) -> numpy.ndarray:
        return numpy.asarray(self.raw.predict(rows))


@bentoml.service(workers=1)
class Images(Model):
    """A Keras model; calling it is its quickest way for small batches."""

    @bentoml.api(**BATCHES)  # type: ignore[untyped-decorator, unused-ignore]
    def predict(self, rows: Annotated[numpy.ndarray, DType("float32")]) -> numpy.ndarray:
        return numpy.asarray(self.raw(rows, training=False))
