"""The essentials of the demonstration: a run, a version of a model, an endpoint, predictions."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from threading import Event
from typing import Any

from modelwright.local.demo.client import Client, Refused, wait_for
from modelwright.local.demo.steps import Demonstration

PROTOTYPE = "iris"


@dataclass(frozen=True)
class Served:
    """An endpoint that answers, and the key that opens it."""

    endpoint: dict[str, Any]
    key: str
    records: list[dict[str, Any]]

    def ask(self) -> list[dict[str, Any]]:
        """What it answers to each record, without what differs from one request to the next."""
        client = Client(self.endpoint["url"], self.key)
        answers = [client.post(self.endpoint["url"], {"records": [record]}) for record in self.records]
        return [{name: answer[name] for name in ("model", "version", "predictions")} for answer in answers]

    def answers(self) -> list[dict[str, Any]] | None:
        """The same, or None while nobody answers."""
        try:
            return self.ask()
        except (Refused, OSError):
            return None


def serve_iris(api: Client, workspace: str) -> Served:
    """Workspace, project, run, version, endpoint and a key, by way of the REST API."""
    demonstration = Demonstration(api, lambda line: print(line, file=sys.stderr), Event())
    made = api.post("/api/v1/workspaces/", {"name": workspace})
    body = {"name": PROTOTYPE, "prototype": PROTOTYPE}
    project = api.post(f"/api/v1/workspaces/{made['id']}/projects/", body)
    demonstration.run_job(project, "train")
    version = demonstration.version(project, 1)
    endpoint = demonstration.endpoint(project)
    demonstration.deploy(endpoint, version)
    key = api.post(f"/api/v1/endpoints/{endpoint['id']}/keys/", {"name": "tests"})["key"]
    example = version["example"]
    records = [example, {name: value + 1.5 for name, value in example.items()}]
    served = Served(endpoint, key, records)
    wait_for(served.answers, 60, "The gateway's taking the new key", every=0.1)
    return served


def recorded(api: Client, served: Served) -> int:
    """How many predictions of the endpoint are on record."""
    return len(listed(api, served))


def listed(api: Client, served: Served) -> list[str]:
    """Ids of the endpoint's predictions that are on record, in the order of the list."""
    return [row["id"] for row in api.pages(f"/api/v1/endpoints/{served.endpoint['id']}/predictions/")]


def details_of(api: Client, ids: list[str]) -> list[dict[str, Any]]:
    """What is on record of each prediction."""
    return [api.get(f"/api/v1/predictions/{identity}/") for identity in ids]
