"""A model that counts, as a project's own code would; `python counting_model.py DIRECTORY` saves it."""

import sys

import mlflow
import mlflow.pyfunc
import pandas
from mlflow.models import infer_signature
from modelwright_runtime import metrics

REGIONS = metrics.counter("region_rows", "Rows by region.", labels=["region"])
STRENGTH = metrics.histogram("strength", "Alcohol of the wines asked for.", buckets=(12, 13, 14))
NEWEST = metrics.gauge("newest_strength", "Alcohol of the newest wine.")


class Counting(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Says how strong a wine is, and counts."""

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        for region, alcohol in zip(model_input["region"], model_input["alcohol"], strict=True):
            REGIONS.inc(region=region)
            STRENGTH.observe(alcohol)
            NEWEST.set(alcohol)
        return ["strong" if alcohol > 13 else "light" for alcohol in model_input["alcohol"]]


if __name__ == "__main__":
    example = pandas.DataFrame({"alcohol": [12.5], "region": ["north"]})
    mlflow.pyfunc.save_model(
        sys.argv[1],
        python_model=__file__,
        signature=infer_signature(example, ["light"]),
        pip_requirements=["mlflow-skinny"],
    )
else:
    mlflow.models.set_model(Counting())
