"""Ends the MLflow runs that a dead process could not end itself."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import time
from uuid import UUID

from django.conf import settings

from jobs.tracking.reader import tracked_runs
from jobs.tracking.upstream import WORKSPACE_HEADER
from modelwright.core.errors import Unavailable

logger = logging.getLogger(__name__)

_OPEN = ("RUNNING", "SCHEDULED")
_TIMEOUT_SECONDS = 10
# MLflow's word for each way in which a platform run ends.
_WORDS = {"succeeded": "FINISHED", "cancelled": "KILLED"}
_OTHERWISE = "FAILED"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over MLflow's Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_SECONDS)
        self.sock.connect(settings.MLFLOW_SOCKET)


def close_tracked_runs(workspace: str, run_id: UUID, state: str) -> int:
    """End what the platform run left open in MLflow, as its end in `state` says; return how many those were.

    Doing it twice is harmless. Raises Unavailable where MLflow does not answer.
    """
    left = [run for run in tracked_runs(workspace, run_id) if run.status in _OPEN]
    for run in left:
        _update(workspace, {"run_id": run.mlflow_id, "status": _WORDS.get(state, _OTHERWISE), "end_time": _now()})
    return len(left)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _update(workspace: str, fields: dict[str, object]) -> None:
    connection = _UnixConnection("localhost", timeout=_TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/json", WORKSPACE_HEADER: workspace}
    try:
        connection.request("POST", "/api/2.0/mlflow/runs/update", json.dumps(fields), headers)
        response = connection.getresponse()
        answer = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable("MLflow does not answer at the moment.", remedy="Try again in a few seconds.") from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        logger.warning("MLflow would not end run %s: %s %s", fields["run_id"], response.status, answer[:500])
