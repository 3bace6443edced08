"""Fixtures: an endpoint with a live deployment, predictions of it as the shipper stores them, and a sink that answers
as a test tells it to."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest

from models.endpoints import services as endpoint_services
from models.endpoints.models import Deployment
from models.events.models import Sink
from models.events.services import create_sink
from models.gateway.ids import new_prediction_id
from models.predictions.storing import store
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from projects.models import Project
from tests.models_support import make_project

SYSTEM = Actor.system("tests")
Reply = tuple[int, dict[str, str]]


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    """The project's administrator."""
    return make_user("ann")


@pytest.fixture
def project(ann: User) -> Project:
    """A project of ann's."""
    return make_project("wine", ann="admin")


@pytest.fixture
def deployment(project: Project) -> Deployment:
    """A deployment of a version; nothing serves it."""
    model = RegisteredModel.objects.create(project=project, name="wine")
    version = ModelVersion.objects.create(model=model, number=3, state="ready", source="x", artifact_digest="a" * 64)
    endpoint = endpoint_services.create_endpoint(project=project, name="wine", acting_user=SYSTEM)
    return endpoint_services.deploy(endpoint, model_version=version, acting_user=SYSTEM)


def record_of(deployment: Deployment, **changes: Any) -> dict[str, Any]:
    """A record as the gateway writes it."""
    return {
        "id": new_prediction_id(),
        "at": time.time(),
        "endpoint_id": str(deployment.endpoint_id),
        "deployment_id": str(deployment.pk),
        "model_version_id": str(deployment.targets.get().model_version_id),
        "key_id": None,
        "inputs": [{"alcohol": 13.2}],
        "outputs": ["one:0"],
        "latency_ms": 3.5,
        "status": 200,
        **changes,
    }


@pytest.fixture
def predict(deployment: Deployment) -> Callable[..., list[UUID]]:
    """Store so many predictions at once, as the shipper does; their ids in the order of the stream."""

    def predict(count: int = 1, **changes: Any) -> list[UUID]:
        records = [record_of(deployment, **changes) for _ in range(count)]
        assert store(records) == count
        return sorted(UUID(record["id"]) for record in records)

    return predict


@dataclass
class Receiver:
    """A sink: what it was sent, and what it answers."""

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    answer: Callable[[list[dict[str, Any]]], Reply] = lambda events: (204, {})

    @property
    def taken(self) -> list[str]:
        """The ids of the events of all posts that were answered 2xx, in order."""
        return [event["id"] for events, status in self.bodies if status < 300 for event in events]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A sink on this machine, whose address the administrator has allowed."""
    settings.EVENT_SINK_NETWORKS = (ipaddress.ip_network("127.0.0.1"),)
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            data = json.loads(body)
            events = data if isinstance(data, list) else [data]
            status, headers = state.answer(events)
            state.bodies.append((events, status))
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            state.raw.append(body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/in"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def make_sink(project: Project, receiver: Receiver) -> Callable[..., Sink]:
    """Add a sink that leads to the receiver: `make_sink(families=["answer"])`."""

    def make(**changes: Any) -> Sink:
        values = {"name": "lake", "url": receiver.url, "start": "oldest", **changes}
        return create_sink(project, **values, acting_user=SYSTEM)[0]

    return make
