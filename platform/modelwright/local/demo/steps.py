"""The platform's main job, step by step, over its REST API."""

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from threading import Event
from typing import Any

from modelwright.local.demo import application
from modelwright.local.demo.client import Client, Refused, wait_for
from modelwright.local.demo.traffic import Traffic

WORKSPACE = "demo"
PROTOTYPE = "churn"
MODEL = "churn"
RUN_SECONDS = 1800.0
DEPLOY_SECONDS = 900.0
ANSWERS_AFTERWARDS = 20
CONFLICT = 409
UNAUTHORIZED = 401
PROBES, PROBE_PAUSE = 3, 0.05
ENDED = ("succeeded", "failed", "cancelled", "timed_out", "out_of_memory", "lost")


class DemonstrationFailed(Exception):
    """A step ended otherwise than it should. The text says how."""


class GivenUp(Exception):
    """The platform is being stopped."""


@dataclass(frozen=True)
class Outcome:
    """What a person can go on with."""

    page: str
    curl: str
    # The way into the application; empty where none can run.
    application: str


@dataclass
class Demonstration:
    """Does the main job; `note` gets each line for the person who watches, `give_up` ends it early."""

    api: Client
    note: Callable[[str], None]
    give_up: Event

    def run(self) -> Outcome:
        """Workspace to rollback. Raises `Refused`, `TimeoutError` or `DemonstrationFailed`."""
        with self.step("Workspace and project from the churn prototype"):
            workspace = self.workspace()
            project = self.project(workspace)
        for name in ("ingest", "features", "train"):
            with self.step(f"Run of the job {name}"):
                self.run_job(project, name)
        with self.step("Registered version"):
            first = self.version(project, 1)
        with self.step("Endpoint that serves version 1"):
            endpoint = self.endpoint(project)
            self.deploy(endpoint, first)
            key = self.api.post(f"/api/v1/endpoints/{endpoint['id']}/keys/", {"name": "demonstration"})["key"]
        url = endpoint["url"]
        records = self.records(first)
        with self.step("Predictions"):
            self.predict(url, key, records)
        with self.step("Application that explains a customer's answer"):
            view = application.make(self.api, project, endpoint, self.note)
        with self.step("Second version: gradient boosting"):
            self.run_job(project, "train", parameters={"model": "gradient-boosting"})
            second = self.version(project, 2)
        with self.step("Switch to version 2 while requests go on"), self.traffic(url, key, records, until=2):
            self.deploy(endpoint, second)
        with self.step("Rollback to version 1 while requests go on"), self.traffic(url, key, records, until=1):
            self.roll_back(endpoint)
        if view:
            application.wait_running(self.api, view, self.stay)
        page = f"{self.api.base}/endpoints/{endpoint['id']}/"
        way_in = f"{self.api.base}/applications/{view['id']}/enter/" if view else ""
        return Outcome(page, curl_line(url, key, records[0]), way_in)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a title, then how long it took."""
        self.note(f"\n{title} …")
        started = time.monotonic()
        yield
        self.note(f"  done in {time.monotonic() - started:.1f} s")

    @contextmanager
    def traffic(self, url: str, key: str, records: list[dict[str, Any]], *, until: int) -> Iterator[None]:
        """Send requests all the while, and until the version answers; a single failed one is a failure of the step."""
        sender = Traffic(url, key, records)
        sender.start()
        try:
            yield
            enough = sender.versions[until] + ANSWERS_AFTERWARDS
            what = f"{ANSWERS_AFTERWARDS} answers by version {until}"
            wait_for(lambda: sender.versions[until] >= enough or sender.failures, 120, what, every=0.05)
        finally:
            sender.stop()
        answered = ", ".join(f"{number} by version {version}" for version, number in sorted(sender.versions.items()))
        self.note(f"  {sender.sent} requests meanwhile: {answered or 'none'}; {len(sender.failures)} failed")
        if sender.failures:
            raise DemonstrationFailed(f"{len(sender.failures)} requests failed, the first with {sender.failures[0]}")

    def workspace(self) -> dict[str, Any]:
        """The workspace of earlier demonstrations, or a new one."""
        known = self.find("/api/v1/workspaces/", WORKSPACE)
        return known or self.api.post("/api/v1/workspaces/", {"name": WORKSPACE, "description": "Made by the demo"})

    def project(self, workspace: dict[str, Any]) -> dict[str, Any]:
        """A new project from the prototype, under the first name that is free."""
        address = f"/api/v1/workspaces/{workspace['id']}/projects/"
        for number in count(1):
            name = PROTOTYPE if number == 1 else f"{PROTOTYPE}-{number}"
            try:
                project: dict[str, Any] = self.api.post(address, {"name": name, "prototype": PROTOTYPE})
            except Refused as refused:
                if refused.status != CONFLICT:
                    raise
            else:
                self.note(f"  project {workspace['name']}/{name}")
                return project
        raise AssertionError("count() never ends")

    def run_job(self, project: dict[str, Any], name: str, **changes: Any) -> dict[str, Any]:
        """Start a run of the job and wait for its end. Raises `DemonstrationFailed` unless it succeeds."""
        job = self.find(f"/api/v1/projects/{project['id']}/jobs/", name)
        if job is None:
            raise DemonstrationFailed(f"The project has no job {name}.")
        run: dict[str, Any] = self.api.post(f"/api/v1/jobs/{job['id']}/runs/", changes)
        said = ""

        def ended() -> bool:
            nonlocal run, said
            self.stay()
            run = self.api.get(f"/api/v1/runs/{run['id']}/")
            text = f"{run['state']} {run.get('waiting_reason') or ''}".strip()
            if text != said:
                said = text
                self.note(f"  run {run['number']}: {text}")
            return run["state"] in ENDED

        wait_for(ended, RUN_SECONDS, f"The end of the run of {name}")
        if run["environment_note"]:
            self.note(f"  environment: {run['environment_note']}")
        if run["state"] != "succeeded":
            cause = run["cause"] or {"message": run["state"], "remedy": "", "tail": ""}
            raise DemonstrationFailed(f"run {run['number']}: {cause['message']} {cause['remedy']}\n{cause['tail']}")
        return run

    def version(self, project: dict[str, Any], number: int) -> dict[str, Any]:
        """Wait until the registered version is imported and ready."""

        def ready() -> dict[str, Any] | None:
            self.stay()
            model = next(iter(self.api.pages("/api/v1/models/", project=project["id"])), None)
            if model is None:
                return None
            found = next((v for v in self.versions(model) if v["number"] == number), None)
            return found if found and found["state"] == "ready" else None

        version: dict[str, Any] = wait_for(ready, RUN_SECONDS, f"Version {number} of the model")
        self.note(f"  {MODEL} version {number}: {version['algorithm_name']}, digest {version['artifact_digest'][:12]}")
        return version

    def versions(self, model: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from self.api.pages(f"/api/v1/models/{model['id']}/versions/")

    def endpoint(self, project: dict[str, Any]) -> dict[str, Any]:
        """A new endpoint, named like the project."""
        body = {"name": project["name"], "description": "Will this customer leave?"}
        made: dict[str, Any] = self.api.post(f"/api/v1/projects/{project['id']}/endpoints/", body)
        return made

    def deploy(self, endpoint: dict[str, Any], version: dict[str, Any]) -> None:
        """Make the endpoint serve the version; returns when it does."""
        body = {"model_version": version["id"], "reason": "Demonstration"}
        self.wait_live(self.api.post(f"/api/v1/endpoints/{endpoint['id']}/deployments/", body))

    def roll_back(self, endpoint: dict[str, Any]) -> None:
        """Go back to what served before."""
        body = {"reason": "The demonstration shows how to go back"}
        self.wait_live(self.api.post(f"/api/v1/endpoints/{endpoint['id']}/rollbacks/", body))

    def wait_live(self, deployment: dict[str, Any]) -> None:
        said = ""

        def live() -> bool:
            nonlocal deployment, said
            self.stay()
            deployment = self.api.get(f"/api/v1/deployments/{deployment['id']}/")
            if deployment["state"] != said:
                said = deployment["state"]
                self.note(f"  deployment {deployment['number']}: {said}")
            if said == "failed":
                raise DemonstrationFailed(f"The deployment failed: {deployment.get('detail', '')}")
            return said == "live"

        wait_for(live, DEPLOY_SECONDS, "The deployment's going live", every=0.1)

    def predict(self, url: str, key: str, records: list[dict[str, Any]]) -> None:
        """Ask for a few customers and print what came back."""
        client = Client(url, key)
        wait_for(lambda: self.knows_key(client, url), 60, "The gateway's taking the new key", every=0.1)
        for record in records:
            answer = client.post(url, {"records": [record]})
            said = json.dumps(answer["predictions"][0])
            self.note(f"  leaves: {said}, by version {answer['version']}, on record as {answer['prediction_id']}")

    def knows_key(self, client: Client, url: str) -> bool:
        """Have the gateway's processes taken the route table that holds the key? Each answers some of the requests, and
        one may be a moment behind another."""
        for _ in range(PROBES):
            if not self.is_known(client, url):
                return False
            time.sleep(PROBE_PAUSE)
        return True

    def is_known(self, client: Client, url: str) -> bool:
        """Whether whoever answers knows the key. A request without records is never on record."""
        self.stay()
        try:
            client.post(url, {"records": []})
        except Refused as refused:
            return refused.status != UNAUTHORIZED
        return True

    def records(self, version: dict[str, Any]) -> list[dict[str, Any]]:
        """The customer that the training script kept as an example, and the same one newer and older."""
        example = version["example"]
        if not example:
            raise DemonstrationFailed("The version holds no example of its input.")
        return [example, {**example, "tenure": 1, "total_charges": None}, {**example, "tenure": 60}]

    def find(self, path: str, name: str) -> dict[str, Any] | None:
        """The item of a list that has the name."""
        return next((item for item in self.api.pages(path) if item["name"] == name), None)

    def page(self, kind: str, item: dict[str, Any]) -> str:
        return f"{self.api.base}/{kind}/{item['id']}/"

    def stay(self) -> None:
        if self.give_up.is_set():
            raise GivenUp


def curl_line(url: str, key: str, record: dict[str, Any]) -> str:
    """A line for a shell that asks for one prediction."""
    body = json.dumps({"records": [record]})
    words = [
        "curl",
        "-s",
        url,
        "-H",
        f"Authorization: Bearer {key}",
        "-H",
        "Content-Type: application/json",
        "-d",
        body,
    ]
    return shlex.join(words)
