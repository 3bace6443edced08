"""The MLflow server as a program of the platform: a process of its own on a Unix socket."""

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modelwright.local.layout import REPOSITORY
from modelwright.local.process import Program

SOURCES_OF_VERSIONS = "^(models:/|runs:/|mlflow-artifacts:/)"

ENVIRONMENT = {
    "MLFLOW_ENABLE_WORKSPACES": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": SOURCES_OF_VERSIONS,
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass(frozen=True)
class MlflowServer:
    """One server over `database_url` (a plain `postgresql://` address) with its files in `artifacts`."""

    database_url: str
    artifacts: Path
    socket: Path

    def program(self, environment: Mapping[str, str], *, after: tuple[str, ...] = ()) -> Program:
        """The server in the foreground; it brings its own tables up to date before it listens."""
        return Program(
            name="mlflow",
            title="MLflow (tracking)",
            argv=[
                *(sys.executable, "-m", "modelwright.local.mlflow_process"),
                *("--database", self.database_url),
                *("--artifacts", str(self.artifacts)),
                *("--socket", str(self.socket)),
            ],
            env={**environment, **ENVIRONMENT},
            cwd=REPOSITORY,
            ready=partial(http_answers, self.socket, "/health"),
            after=after,
            ready_seconds=300,
        )


def http_answers(address: Path | tuple[str, int], path: str) -> bool:
    """Does a plain GET on that Unix socket or (host, port) answer with a status below 500?"""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with closing(socket.socket(family, socket.SOCK_STREAM)) as connection:
            connection.settimeout(5)
            connection.connect(os.fspath(address) if isinstance(address, Path) else address)
            connection.sendall(request.encode())
            status = connection.recv(64).split(b" ")
    except OSError:
        return False
    return len(status) > 1 and status[0].startswith(b"HTTP/1.") and status[1] < b"500"
