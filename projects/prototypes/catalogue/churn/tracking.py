"""How the steps hand data to each other: every output is an artifact of an MLflow run, found again by a tag.

Each step runs in a fresh copy of the project, so nothing passes through the working folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
STEP_TAG = "step"

if "MLFLOW_TRACKING_URI" not in os.environ:
    # By hand, outside the platform: keep everything in a folder beside the scripts.
    os.environ["MLFLOW_TRACKING_URI"] = (HERE / "mlruns").as_uri()
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", "churn")

import mlflow  # noqa: E402 - it reads the variables above
from mlflow.entities import Run  # noqa: E402

# No whole-number column of this data misses a value; and a file of a run is just that.
warnings.filterwarnings("ignore", message=".*Inferred schema contains integer column.*")
warnings.filterwarnings("ignore", message=".*can be interpreted in multiple ways.*")


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def start(step: str) -> mlflow.ActiveRun:
    """Start the MLflow run of a step, to be used in a `with` statement."""
    return mlflow.start_run(run_name=step, tags={STEP_TAG: step})


def newest_run(step: str) -> Run:
    """The newest finished run of a step. Ends the script where there is none."""
    client = mlflow.MlflowClient()
    found = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()],
        filter_string=f"tags.{STEP_TAG} = '{step}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not found:
        sys.exit(f"There is no finished run of the step `{step}` yet. Run {step}.py first.")
    return found[0]


def fetch(run: Run, path: str) -> Path:
    """Download one artifact of a run into the folder `data` and return where it lies."""
    target = Path("data")
    target.mkdir(exist_ok=True)
    local = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=path, dst_path=str(target))
    return Path(local)
