"""The environment of the test models with what reading Parquet and PostgreSQL takes, kept between test sessions."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from modelwright.compute.environments.build import READY
from modelwright.compute.layout import environments_folder
from modelwright.compute.models import Environment, EnvironmentRequest
from tests.gateway.environment import python

REQUIREMENTS = ("pyarrow==23.0.1", "psycopg[binary]==3.3.4")
DIGEST = "5" * 64


@functools.cache
def libraries() -> Path:
    """A folder with the libraries, for the path of the model environment's interpreter."""
    digest = hashlib.sha256(" ".join(REQUIREMENTS).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"modelwright-test-scoring-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            command = ["uv", "pip", "install", "--python", python(), "--target", str(folder / "lib"), *REQUIREMENTS]
            subprocess.run(command, check=True, capture_output=True, timeout=280)
            (folder / "ready").touch()
    return folder / "lib"


def run(code: str, *arguments: str) -> str:
    """Run code in the environment; what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(libraries())}
    done = subprocess.run(
        [python(), "-W", "ignore", "-c", code, *arguments], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def scoring_environment() -> EnvironmentRequest:
    """The environment on this host, ready, with a lock that names the libraries."""
    folder = environments_folder() / DIGEST
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    interpreter = folder / "bin" / "python"
    interpreter.write_text(
        f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{libraries()}"; export PYTHONPATH\nexec {python()} -W ignore "$@"\n'
    )
    interpreter.chmod(0o755)
    (folder / READY).touch()
    lock = "\n".join(REQUIREMENTS) + "\n"
    environment, _ = Environment.objects.get_or_create(
        lock_digest=DIGEST, defaults={"lock": lock, "python_version": "3.11"}
    )
    request, _ = EnvironmentRequest.objects.get_or_create(
        requirements_digest="6" * 64,
        python_version="3.11",
        defaults={"kind": "requirements.txt", "state": "ready", "environment": environment},
    )
    return request
