"""What the person of test_journey.py commits: it says how far it is, logs a curve and registers a model."""

import argparse
import time

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=1)
parser.add_argument("--steps", type=int, default=1)
options = parser.parse_args()

data = load_iris(as_frame=True)
flowers = data.data.rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))
species = data.target.map(dict(enumerate(map(str, data.target_names)))).rename("species")
with mlflow.start_run(run_name="fit"):
    mlflow.log_params(vars(options))
    for step in range(options.steps):
        print(f"step {step}", flush=True)
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
        time.sleep(0.5)
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=options.depth, random_state=7))
    said = model.fit(flowers, species).predict(flowers)
    mlflow.log_metric("accuracy", accuracy_score(species, said))
    mlflow.log_input(from_pandas(flowers.assign(species=species), name="iris"), context="training")
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(flowers, pd.Series(said, name="species")),
        input_example=flowers.head(1),
        registered_model_name="journey",
        skops_trusted_types=["numpy.dtype", "sklearn.tree._tree.Tree"],
    )
print("registered", flush=True)
