"""An unmodified MLflow client against the tracking address."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.models import Run
from modelwright.accounts.actors import Actor
from modelwright.accounts.services import create_token

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).with_name("client_script.py")


def run_client(web: str, token: str, *steps: str, uri: str = "", **variables: str) -> str:
    """Run the client script's steps in a process of its own; return what it printed. Fails with its traceback."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/tmp"),
        "MLFLOW_TRACKING_URI": uri or f"{web}/mlflow",
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_EXPERIMENT_NAME": "train",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **variables,
    }
    command = [sys.executable, "-W", "ignore", str(SCRIPT), *steps]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout


def test_client_does_everything_that_a_training_script_does(web: str, make_project: Any, live_run: Any) -> None:
    _, token = live_run(make_project("churn"))
    out = run_client(web, token, "track", "model")
    assert "tracked" in out
    assert "predictions [0, 1]" in out


def test_traced_functions_are_kept(web: str, make_project: Any, live_run: Any) -> None:
    _, token = live_run(make_project("churn"))
    assert "traced 1" in run_client(web, token, "traces")


def test_person_tracks_from_a_laptop(web: str, make_project: Any, make_user: Any) -> None:
    ann = make_user("ann")
    project = make_project("churn", ann="contributor")
    _, token = create_token(name="laptop", acting_user=Actor.person(ann))
    assert "tracked" in run_client(web, token, "track", uri=f"{web}/mlflow/projects/{project.pk}")


def test_token_dies_with_the_run(web: str, make_project: Any, live_run: Any) -> None:
    run, token = live_run(make_project("churn"))
    assert "tracked" in run_client(web, token, "track")
    run.workload.__class__.objects.filter(pk=run.workload_id).update(state="succeeded")
    assert "UNAUTHENTICATED" in run_client(web, token, "expect-refusal")
    assert Run.objects.get(pk=run.pk).state == "succeeded"
