"""What a user's script does with MLflow. Run by test_tracking_client.py in a process of its own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException


def track() -> None:
    """Parameters, metrics, tags, artifacts, data sets, nested runs, search."""
    import pandas

    with mlflow.start_run(run_name="fit") as run:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"a": 1, "b": "x"})
        mlflow.log_metric("loss", 0.5, step=0)
        mlflow.log_metrics({"loss": 0.25, "auc": 0.9}, step=1)
        client = mlflow.MlflowClient()
        client.log_batch(run.info.run_id, metrics=[mlflow.entities.Metric("batch", i / 10, 0, i) for i in range(20)])
        mlflow.set_tag("team", "red")
        mlflow.log_text("hello", "notes/a b.txt")
        mlflow.log_dict({"x": 1}, "x.json")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "big.bin").write_bytes(bytes(3_000_000))
            mlflow.log_artifacts(folder, "files")
        data = mlflow.data.pandas_dataset.from_pandas(
            pandas.DataFrame({"x": [1, 2], "y": [0, 1]}), source="data.csv", name="train"
        )
        mlflow.log_input(data, context="training")
        with mlflow.start_run(nested=True):
            mlflow.log_metric("inner", 1)
    found = mlflow.search_runs(output_format="list")
    assert any(r.info.run_id == run.info.run_id for r in found)
    read = client.get_run(run.info.run_id)
    assert read.data.params == {"depth": "3", "a": "1", "b": "x"}
    assert read.data.metrics["loss"] == 0.25
    assert len(client.get_metric_history(run.info.run_id, "batch")) == 20
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"notes", "x.json", "files"}
    assert mlflow.artifacts.load_text(f"{read.info.artifact_uri}/notes/a b.txt") == "hello"
    local = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="files")
    assert (Path(local) / "big.bin").stat().st_size == 3_000_000
    assert read.inputs is not None
    assert read.inputs.dataset_inputs[0].dataset.name == "train"
    print("tracked", run.info.run_id, read.data.tags.get("modelwright.run_id"))


def model() -> None:
    """Log, register, alias, load."""
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            estimator,
            name="model",
            input_example=[[0.5]],
            registered_model_name="churn",
            pip_requirements=["scikit-learn"],
        )
    version = mlflow.register_model(info.model_uri, "churn")
    assert version.version == "2" or int(version.version) == 2
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("churn", "champion", version.version)
    client.set_model_version_tag("churn", version.version, "note", "good")
    loaded = mlflow.sklearn.load_model("models:/churn@champion")
    assert mlflow.pyfunc.load_model("models:/churn/1").predict([[1.0]]).tolist() == [1]
    print("predictions", loaded.predict([[0.0], [1.0]]).tolist())
    assert len(client.search_model_versions("name='churn'")) == 2
    client.delete_registered_model_alias("churn", "champion")


def traces() -> None:
    """A traced function, as autologging of many libraries does."""

    @mlflow.trace
    def double(x: int) -> int:
        return 2 * x

    mlflow.set_experiment("train")
    assert double(2) == 4
    mlflow.flush_trace_async_logging()
    found = mlflow.search_traces(return_type="list")
    assert found[0].data.spans[0].name == "double"
    print("traced", len(found))


def expect_refusal() -> None:
    """Any call fails; print what the client shows."""
    try:
        mlflow.search_experiments()
    except MlflowException as error:
        print(error)


STEPS = {"track": track, "model": model, "traces": traces, "expect-refusal": expect_refusal}

if __name__ == "__main__":
    for step in sys.argv[1:]:
        STEPS[step]()
