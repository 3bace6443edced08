"""The real MLflow server and the real web process, once for a test session."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg
from django.conf import settings

from modelwright.local.layout import REPOSITORY
from modelwright.local.mlflow_server import MlflowServer, http_answers
from modelwright.local.process import Program, start, wait_until
from tests.ports import free_port

READY_SECONDS = 280


@dataclass(frozen=True)
class Mlflow:
    """Where the test session's MLflow is."""

    database_url: str
    socket: Path
    artifacts: Path


@contextmanager
def mlflow_running(folder: Path) -> Iterator[Mlflow]:
    """An MLflow server with a database of its own, so that parallel test processes do not share one."""
    server = MlflowServer(_new_database(), folder / "artifacts", folder / "mlflow.sock")
    server.artifacts.mkdir()
    child = start(server.program(dict(os.environ)), folder / "mlflow.log")
    try:
        wait_until(child.program.ready, child, READY_SECONDS)
        yield Mlflow(server.database_url, server.socket, server.artifacts)
    finally:
        child.ask_to_stop()
        child.wait_or_kill(20)


def _new_database() -> str:
    url = os.environ["MLFLOW_DATABASE_URL"]
    name = f"mlflow_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


def test_database_url() -> str:
    """The address of the database that pytest-django made for this process."""
    values = settings.DATABASES["default"]
    return f"postgresql://{quote(str(values['USER']))}@/{values['NAME']}?host={quote(str(values['HOST']), safe='/')}"


@contextmanager
def web_running(folder: Path, mlflow: Mlflow, variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """`modelwright.asgi` under uvicorn on a free port of the loopback address; its URL. `variables` are its own."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": test_database_url(),
        "MLFLOW_DATABASE_URL": mlflow.database_url,
        "MODELWRIGHT_MLFLOW_SOCKET": str(mlflow.socket),
        "MODELWRIGHT_MLFLOW_ARTIFACTS_DIR": str(mlflow.artifacts),
        "MODELWRIGHT_WEB_URL": f"http://127.0.0.1:{port}",
        **(variables or {}),
    }
    program = Program(
        name="web",
        argv=[sys.executable, "-m", "uvicorn", "modelwright.asgi:application", "--port", str(port), "--no-access-log"],
        env=environment,
        cwd=REPOSITORY,
        ready=partial(http_answers, ("127.0.0.1", port), "/api/v1/me/"),
    )
    child = start(program, folder / "web.log")
    try:
        wait_until(program.ready, child, READY_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.ask_to_stop()
        child.wait_or_kill(20)
