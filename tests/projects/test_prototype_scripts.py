"""The prototypes' scripts, run by hand as their READMEs say, in an environment of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from models.gateway.graphs.parsing import parse
from projects.prototypes import get_prototype

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# Runs in the prototype's environment and prints what its scripts left behind.
LOOK = """
import json, tracking, mlflow
client = mlflow.MlflowClient()
steps = {step: tracking.newest_run(step) for step in ("ingest", "features", "train")}
train = steps["train"]
versions = client.search_model_versions("name = 'churn'")
model = mlflow.sklearn.load_model(f"models:/churn/{max(int(v.version) for v in versions)}")
signature = mlflow.models.get_model_info(f"models:/churn/1").signature
print("RESULT" + json.dumps({
    "versions": sorted(int(v.version) for v in versions),
    "inputs": {step: run.data.tags.get("input_run_id") for step, run in steps.items()},
    "ids": {step: run.info.run_id for step, run in steps.items()},
    "digests": [steps["ingest"].data.params["data_sha256"], steps["features"].data.params["input_sha256"]],
    "datasets": {step: [i.dataset.name for i in run.inputs.dataset_inputs] for step, run in steps.items()},
    "metrics": train.data.metrics,
    "curve": len({m.step for m in client.get_metric_history(train.info.run_id, "validation_log_loss")}),
    "classifier": type(model[-1]).__name__,
    "optional": [c.name for c in signature.inputs if not c.required],
    "columns": len(signature.inputs.input_names()),
}))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python in an environment with the requirements of all prototypes."""
    uv = shutil.which("uv")
    assert uv, "uv is needed to build the prototypes' environment"
    churn, *others = (get_prototype(name).files["requirements.txt"] for name in ("churn", "iris", "two-steps"))
    for other in others:
        assert {line for line in other.splitlines() if b"==" in line} <= set(churn.splitlines())
    folder = tmp_path_factory.mktemp("prototypes")
    (folder / "requirements.txt").write_bytes(churn)
    subprocess.run([uv, "venv", "--quiet", "--python", "3.11", str(folder / "venv")], check=True)
    target = folder / "venv" / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--python", str(target), "-r", str(folder / "requirements.txt")]
    subprocess.run(install, check=True)
    return target


def _unpack(name: str, folder: Path) -> Path:
    for path, data in get_prototype(name).files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def _environment() -> Mapping[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DJANGO", "PYTHON"))}
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}


def _run(python: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(python), *arguments], cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_churn_goes_from_the_data_to_two_registered_versions(python: Path, tmp_path: Path) -> None:
    folder = _unpack("churn", tmp_path)
    assert "7,043 customers" in _run(python, folder, "ingest.py")
    assert "1,409 held out" in _run(python, folder, "features.py")
    for model in ("logistic", "gradient-boosting"):
        # Each run of the platform starts in a fresh copy: nothing may pass through the working folder.
        shutil.rmtree(folder / "data")
        _run(python, folder, "train.py", "--model", model)
    found: dict[str, Any] = json.loads(_run(python, folder, "-c", LOOK).split("RESULT")[1])
    assert found["versions"] == [1, 2]
    assert found["classifier"] == "GradientBoostingClassifier"
    assert found["inputs"] == {"ingest": None, "features": found["ids"]["ingest"], "train": found["ids"]["features"]}
    assert found["digests"][0] == found["digests"][1]
    assert all(found["datasets"].values())
    assert found["metrics"]["roc_auc"] > 0.82
    assert found["metrics"]["accuracy"] > found["metrics"]["accuracy_of_always_no"] + 0.04
    assert found["curve"] == 120
    assert found["optional"] == ["total_charges"]
    assert found["columns"] == 18


def test_training_without_features_says_what_to_run_first(python: Path, tmp_path: Path) -> None:
    folder = _unpack("churn", tmp_path)
    done = subprocess.run(
        [str(python), "train.py"], cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Run features.py first" in done.stderr


def test_iris_registers_a_version(python: Path, tmp_path: Path) -> None:
    folder = _unpack("iris", tmp_path)
    assert "accuracy 0.9" in _run(python, folder, "train.py", "--depth", "3")
    assert (folder / "mlruns" / "models" / "iris" / "version-1" / "meta.yaml").is_file()
    assert "accuracy 0.9" in _run(python, folder, "check.py", "--version", "1")
    arguments = [str(python), "check.py", "--version", "1", "--least-accuracy", "1.01"]
    failed = subprocess.run(arguments, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "The accuracy is below 1.01." in failed.stderr


def test_two_steps_registers_the_models_that_its_graph_asks(python: Path, tmp_path: Path) -> None:
    folder = _unpack("two-steps", tmp_path)
    assert "ill_found 1.000" in _run(python, folder, "train.py")
    graph = parse("two-steps", get_prototype("two-steps").manifest.graphs["two-steps"])
    assert [node.name for node in graph.asked()] == ["detect", "type"]
    for node in graph.asked():
        assert (folder / "mlruns" / "models" / node.model / "version-1" / "meta.yaml").is_file()
