"""Processes that end with their test."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.processes import Gateway, ModelServer, Process, endpoint, target
from tests.gateway.signatures import signature_of


@pytest.fixture(scope="session")
def short_directory() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="mwg-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def replicas(short_directory: Path) -> Iterator[dict[str, Path]]:
    """Sockets of three running model servers that tests share and leave alone: `one`, `two`, `moody`."""
    servers = {name: ModelServer(short_directory, name) for name in ("one", "two", "moody")}
    try:
        yield {name: server.ready().socket for name, server in servers.items()}
    finally:
        for server in servers.values():
            server.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def speaking(short_directory: Path) -> Iterator[Gateway]:
    """A gateway that tests of protocols share: `acme/wine` is a table with a classifier (model `cellar`), `acme/digits`
    one nameless tensor, `acme/echo` a model without a signature that returns what it is given."""
    directory = short_directory / "speaking"
    directory.mkdir()
    served = {"wine": ("cellar", "one"), "digits": ("digits", "digits"), "echo": ("echo", "echo")}
    servers = {name: ModelServer(directory, folder) for name, (_, folder) in served.items()}
    running: list[Process] = list(servers.values())
    try:
        gateway = Gateway(directory)
        running.append(gateway)
        gateway.publish(
            {
                f"acme/{name}": endpoint(
                    2, target(model, 1, servers[name].ready().socket, signature=signature_of(folder))
                )
                for name, (model, folder) in served.items()
            }
        )
        yield gateway
        assert "Traceback" not in gateway.text()
    finally:
        for process in running:
            process.stop(signal.SIGKILL)


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """Whatever a test puts here is killed after it."""
    started: list[Process] = []
    yield started
    for process in started:
        process.stop(signal.SIGKILL)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A folder for one test, with a short path."""
    path = Path(tempfile.mkdtemp(prefix="mwg-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start_gateway(directory: Path, processes: list[Process]) -> Callable[..., Gateway]:
    """Starts a gateway: `start_gateway("--timeout", "2")`."""

    def start(*options: str, **kwargs: Any) -> Gateway:
        gateway = Gateway(directory, *options, **kwargs)
        processes.append(gateway)
        return gateway

    return start


@pytest.fixture
def gateway(start_gateway: Callable[..., Gateway]) -> Gateway:
    """A gateway without a route table."""
    return start_gateway()


@pytest.fixture
def start_server(directory: Path, processes: list[Process]) -> Callable[..., ModelServer]:
    """Starts a model server of one test's own: `start_server("one", "first")`."""

    def start(model: str, name: str = "", *options: str, socket: Path | None = None) -> ModelServer:
        server = ModelServer(directory, model, name, *options, socket=socket)
        processes.append(server)
        return server

    return start
