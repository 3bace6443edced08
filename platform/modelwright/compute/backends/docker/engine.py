"""The connection to the engine, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

import docker
import requests
import urllib3
from docker import errors

from modelwright.compute.backends.base import BackendError, ImageMissingError, UnavailableError

# The SDK has no types; everything that comes from it is checked where it is read.
Api = Any
DEFAULT_ENGINE = "unix:///var/run/docker.sock"
TIMEOUT_SECONDS = 60
# Each workload's log holds one connection for as long as it runs.
CONNECTIONS = 500
# What an engine says that is going down, or that came back and finds a start of its predecessor half done.
_PASSING = re.compile(
    r"task \w+: already exists|id already in use|container with id exists"
    r"|transport is closing|connection (refused|reset)|context canceled|shutting down"
    r"|error reading from server|ttrpc: closed"
)


def connect(engine: str) -> Api:
    """A client of the engine at the address (empty: DOCKER_HOST, else the usual socket). Raises UnavailableError."""
    address = engine or os.environ.get("DOCKER_HOST") or DEFAULT_ENGINE
    with told_apart(address):
        return docker.APIClient(
            base_url=address, version="auto", timeout=TIMEOUT_SECONDS, max_pool_size=CONNECTIONS, num_pools=4
        )


@contextlib.contextmanager
def told_apart(what: str) -> Iterator[None]:
    """Raises the errors of the SDK as those of the contract, in words for the person who asked for `what`."""
    try:
        yield
    except errors.ImageNotFound as error:
        raise ImageMissingError(
            f"{what}: the host does not have its image ({error.explanation}). "
            "Choose an environment that the platform builds, or have an administrator load the image on the host."
        ) from error
    except errors.APIError as error:
        if _PASSING.search(str(error.explanation or error)):
            raise UnavailableError(
                f"{what}: the container engine of this host is being restarted. Wait until it is back."
            ) from error
        raise BackendError(f"{what}: the container engine refused: {error.explanation or error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, errors.DockerException, OSError) as error:
        raise UnavailableError(
            f"{what}: the container engine of this host does not answer. Start it, or wait until it is back."
        ) from error


def is_absent(error: BaseException) -> bool:
    """Whether the engine said that it knows no such container (any more)."""
    return isinstance(error, errors.NotFound)


def is_conflict(error: BaseException) -> bool:
    """Whether the engine said that the name is taken, or the container in no state for that."""
    return isinstance(error, errors.APIError) and error.status_code == 409
