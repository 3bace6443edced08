"""MLflow on its socket: its tables are made, workspaces are on, and the outbox misses nothing."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from modelwright.local.layout import Layout
from modelwright.local.mlflow_server import MlflowServer
from modelwright.local.postgres import Postgres
from modelwright.local.process import Child, start, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self.path))


@dataclass
class Running:
    socket: Path
    database: str
    child: Child

    def call(self, method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        connection = UnixConnection(self.socket)
        headers = {"Content-Type": "application/json"}
        connection.request(method, f"/api/2.0/mlflow/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")

    def outbox(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            query = "SELECT kind, workspace, name, version, alias FROM modelwright_outbox ORDER BY id"
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    layout = Layout(tmp_path_factory.mktemp("m"))
    layout.create()
    postgres = Postgres(layout.postgres, durable=False)
    postgres.prepare()
    database = start(postgres.program(), layout.logs / "postgres.log")
    children = [database]
    try:
        wait_until(database.program.ready, database, 90)
        postgres.create_databases()
        server = MlflowServer(postgres.url("mlflow"), layout.mlflow_artifacts, layout.sockets / "mlflow.sock")
        children.append(start(server.program(os.environ), layout.logs / "mlflow.log"))
        wait_until(children[-1].program.ready, children[-1], 300)
        yield Running(server.socket, server.database_url, children[-1])
    finally:
        for child in reversed(children):
            child.ask_to_stop()
            child.wait_or_kill(20)


def test_registrations_and_aliases_reach_the_outbox(mlflow: Running) -> None:
    assert mlflow.call("POST", "registered-models/create", name="churn")[0] == 200
    run = mlflow.call("POST", "runs/create", experiment_id="0")[1]["run"]["info"]
    version = {"name": "churn", "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}
    made = mlflow.call("POST", "model-versions/create", **version)
    assert made[0] == 200, made
    for _ in range(2):
        assert mlflow.call("POST", "registered-models/alias", name="churn", alias="champion", version="1")[0] == 200
    assert mlflow.call("DELETE", "registered-models/alias", name="churn", alias="champion")[0] == 200
    found = mlflow.outbox()
    assert found[0] == ("version_created", "default", "churn", 1, None)
    assert ("alias_set", "default", "churn", 1, "champion") in found
    assert found[-1] == ("alias_removed", "default", "churn", 1, "champion")


def test_a_version_may_not_come_from_a_path_of_the_host(mlflow: Running) -> None:
    mlflow.call("POST", "registered-models/create", name="smuggled")
    status, answer = mlflow.call("POST", "model-versions/create", name="smuggled", source="/etc")
    assert status == 400, answer


def test_workspaces_are_enabled(mlflow: Running) -> None:
    connection = UnixConnection(mlflow.socket)
    connection.request("GET", "/api/3.0/mlflow/server-info")
    assert json.loads(connection.getresponse().read())["workspaces_enabled"] is True


def test_starting_again_changes_nothing(mlflow: Running, tmp_path: Path) -> None:
    before = mlflow.outbox()
    mlflow.child.ask_to_stop()
    assert mlflow.child.wait_or_kill(30) in (0, -signal.SIGTERM)
    mlflow.child = start(mlflow.child.program, tmp_path / "again.log")
    wait_until(mlflow.child.program.ready, mlflow.child, 300)
    try:
        assert mlflow.outbox() == before
    finally:
        mlflow.child.ask_to_stop()
        mlflow.child.wait_or_kill(20)
