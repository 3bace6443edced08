"""A real environment with JupyterLab, built once and kept between test sessions, and turning the loops by hand."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from django.utils import timezone

from modelwright.compute import environment_results, handing_in, watcher
from modelwright.compute.environments.build import READY
from modelwright.compute.layout import environments_folder
from modelwright.compute.models import Environment, EnvironmentRequest
from modelwright.compute.services import DEFAULT_PYTHON
from sessions import lab, minding
from sessions.models import Session

SECONDS = 120
REQUIREMENTS = "six==1.17.0\n"


@functools.cache
def lab_environment() -> Path:
    """Folder with `bin/python` that has JupyterLab as sessions have it; building it takes half a minute."""
    digest = hashlib.sha256("\n".join((*lab.ADDITIONS, REQUIREMENTS)).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"modelwright-test-lab-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
            python = str(folder / "bin" / "python")
            packages = [*lab.ADDITIONS, REQUIREMENTS.strip()]
            for command in (
                ["uv", "venv", "--allow-existing", "--python", "3.11", str(folder)],
                ["uv", "pip", "install", "--compile-bytecode", "--python", python, *packages],
            ):
                subprocess.run(command, check=True, capture_output=True, env=environment, timeout=280)
            (folder / "ready").touch()
    return folder


def ready_lab() -> Environment:
    """The environment of `REQUIREMENTS` and JupyterLab, ready on this host."""
    digest = "1ab" + "0" * 61
    environments_folder().mkdir(parents=True, exist_ok=True)
    link = environments_folder() / digest
    if not link.is_symlink():
        link.symlink_to(lab_environment())
        (lab_environment() / READY).touch()
    environment, _ = Environment.objects.get_or_create(
        lock_digest=digest, defaults={"lock": "", "python_version": "3.11"}
    )
    enter_request(environment, REQUIREMENTS + "".join(f"{line}\n" for line in lab.ADDITIONS))
    return environment


def enter_request(environment: Environment, requirements: str) -> None:
    """The environment is what the text of requirements asks for."""
    EnvironmentRequest.objects.get_or_create(
        requirements_digest=hashlib.sha256(f"requirements.txt\n{requirements}".encode()).hexdigest(),
        python_version=DEFAULT_PYTHON,
        defaults={
            "kind": "requirements.txt",
            "state": "ready",
            "environment": environment,
            "ready_at": timezone.now(),
        },
    )


def fresh(session: Session) -> Session:
    """The session as the database has it."""
    found: Session = Session.objects.select_related(
        "project__workspace", "owner", "workload__host", "workload__environment"
    ).get(pk=session.pk)
    return found


def turn() -> None:
    """Each loop once."""
    watcher.tick()
    handing_in.tick_others()
    environment_results.collect()
    minding.publish()
    minding.end_idle()
    minding.collect()


def turn_until(condition: Callable[[], object], why: Callable[[], object] = lambda: "") -> None:
    """Turn the loops until the condition holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen in time {why()}"
        turn()
        time.sleep(0.05)
