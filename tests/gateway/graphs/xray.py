"""The models of the two-step X-ray case, trained once for all test sessions, and images that they have not seen."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.gateway.environment import model_environment, python

TRAINING = Path(__file__).with_name("train_xray.py")
MODELS = ("xray-scaler", "xray-detector", "xray-types")


@functools.cache
def trained() -> Path:
    """The folder of the models, beside the other test models; training them takes some seconds."""
    digest = hashlib.sha256(TRAINING.read_bytes()).hexdigest()[:16]
    directory = model_environment() / "models"
    ready = directory / f"xray-{digest}.ready"
    with (model_environment() / "xray.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "GIT_PYTHON_REFRESH": "quiet"}
            subprocess.run(["rm", "-rf", *(str(directory / name) for name in MODELS)], check=True)
            subprocess.run([python(), str(TRAINING), str(directory)], check=True, env=environment, timeout=280)
            ready.touch()
    return directory


def held_out() -> list[dict[str, Any]]:
    """Images with the digit that they show."""
    found: list[dict[str, Any]] = json.loads((trained() / "held-out.json").read_text())
    return found
