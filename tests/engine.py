"""Finds a container engine for the tests, or says loudly why there is none. What a session starts carries its label.

An engine that answers is used as it is. With MODELWRIGHT_TEST_ENGINE=1, as root, and with the scripts that start an
engine beside the clone, one is started and the base images are made; xdist's workers do that once.
"""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import docker
import pytest
from docker import errors

BASE_IMAGE = "python:3.11-slim"
# Part of the name and a label of everything that this process makes in the engine.
INSTANCE = f"mwt-{uuid.uuid4().hex[:10]}"
SCRIPTS = Path(__file__).resolve().parent.parent.parent / "shared" / "docker"
_LOCK = Path("/tmp/modelwright-test-engine.lock")
START_SECONDS = 600


def require_engine() -> Any:
    """A client of an engine that has the base image; skips the test with the reason when there is none."""
    reason = _missing()
    if reason:
        pytest.skip(f"NO CONTAINER ENGINE: {reason}")
    return client()


def has_engine() -> bool:
    """Whether `require_engine` finds one."""
    return not _missing()


def client() -> Any:
    """A client of the engine that `require_engine` found."""
    return docker.DockerClient.from_env(version="auto", timeout=60)


@functools.cache
def _missing() -> str:
    reason = _look()
    if not reason or os.environ.get("MODELWRIGHT_TEST_ENGINE") != "1":
        return reason
    if os.geteuid() != 0 or not (SCRIPTS / "start-engine.sh").exists():
        return f"{reason}; MODELWRIGHT_TEST_ENGINE=1 needs root and {SCRIPTS}/start-engine.sh"
    with _LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _look() and (_start() or _look())


def _look() -> str:
    """Why the engine cannot be used, empty when it can."""
    try:
        found = client()
    except errors.DockerException as error:
        return f"none answers ({str(error)[:200]})"
    try:
        found.images.get(BASE_IMAGE)
    except errors.ImageNotFound:
        return f"it does not have {BASE_IMAGE}: pull it"
    finally:
        found.close()
    return ""


def _start() -> str:
    for command in (["start-engine.sh"], ["make-base-images.py", "python"]):
        # Not a pipe: the engine inherits it, and its end would never come.
        with (Path("/tmp") / f"modelwright-{command[0]}.log").open("w") as output:
            done = subprocess.run(
                [str(SCRIPTS / command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=START_SECONDS,
                check=False,
            )
        if done.returncode:
            return f"{command[0]} ended with {done.returncode}, see {output.name}"
    return ""


def forget_images(instance: str) -> None:
    """Takes their names from all images of an installation: it finds none, and builds them again from their layers.

    What is built again is what was built before, so nobody needs to wait for downloads a second time.
    """
    found = client()
    for number, image in enumerate(found.images.list(filters={"label": f"modelwright.instance={instance}"})):
        names = image.tags
        image.tag(f"{instance}-layers", str(number))
        for name in names:
            found.images.remove(name)
    found.close()


def clear(instance: str = INSTANCE) -> None:
    """Removes every container and image of this process's tests from the engine."""
    found = client()
    label = {"label": f"modelwright.instance={instance}"}
    for container in found.containers.list(all=True, filters=label, ignore_removed=True):
        _quietly(container.remove, force=True, v=True)
    for image in found.images.list(filters=label):
        _quietly(found.images.remove, image.id, force=True)
    for network in found.networks.list(filters=label):
        _quietly(network.remove)
    found.close()


def _quietly(step: Any, *arguments: Any, **named: Any) -> None:
    try:
        step(*arguments, **named)
    except errors.APIError as error:
        # Whoever looks after the containers may have been faster.
        if error.status_code not in (404, 409):
            raise
