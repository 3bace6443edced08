"""Two projects behind one MLflow server: neither sees nor touches what is the other's."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from modelwright.accounts.actors import Actor
from modelwright.accounts.services import create_token
from projects.models import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

V2 = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass
class Tracker:
    """One caller of the tracking address."""

    web: str
    token: str
    prefix: str = "/mlflow"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One call. Query parameters go into `path`."""
        return requests.request(
            method,
            f"{self.web}{self.prefix}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}},
            timeout=60,
        )

    def raw(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, str]:
        """One call whose path nobody normalises."""
        connection = http.client.HTTPConnection(urlsplit(self.web).netloc, timeout=60)
        connection.putrequest(method, f"{self.prefix}{path}", skip_accept_encoding=True)
        for name, value in {"Authorization": f"Bearer {self.token}", **(headers or {})}.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        connection.close()
        return response.status, text

    def experiment(self, name: str = "train") -> str:
        return str(self.call("POST", f"{V2}/experiments/create", {"name": name}).json()["experiment_id"])

    def run(self, experiment: str, **fields: Any) -> dict[str, Any]:
        answer = self.call("POST", f"{V2}/runs/create", {"experiment_id": experiment, **fields})
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()["run"]
        return run


@dataclass
class Victim:
    """A project with one of each thing, and another project's run that wants them."""

    project: Project
    owner: Tracker
    attacker: Tracker
    experiment: str
    run_id: str
    artifact_root: str


@pytest.fixture
def victim(web: str, make_project: Any, live_run: Callable[..., Any]) -> Victim:
    """Project `ours` with an experiment, a run with a metric, a file and a registered version; a run of `theirs`."""
    ours, theirs = make_project("ours"), make_project("theirs")
    owner, attacker = Tracker(web, live_run(ours)[1]), Tracker(web, live_run(theirs)[1])
    experiment = owner.experiment("secret-experiment")
    run = owner.run(experiment)
    run_id, root = run["info"]["run_id"], run["info"]["artifact_uri"]
    owner.call(
        "POST", f"{V2}/runs/log-metric", {"run_id": run_id, "key": "loss", "value": 1, "timestamp": 1, "step": 0}
    )
    path = root.partition("mlflow-artifacts:/")[2].strip("/")
    assert requests.put(
        f"{web}/mlflow{FILES}/{path}/model/weights.bin",
        data=b"ours alone",
        headers={"Authorization": f"Bearer {owner.token}"},
        timeout=60,
    ).ok
    owner.call("POST", f"{V2}/registered-models/create", {"name": "churn"})
    made = owner.call(
        "POST", f"{V2}/model-versions/create", {"name": "churn", "source": f"runs:/{run_id}/model", "run_id": run_id}
    )
    assert made.status_code == 200, made.text
    return Victim(ours, owner, attacker, experiment, run_id, path)


def test_runs_and_experiments_of_another_project_do_not_exist(victim: Victim) -> None:
    them, run_id = victim.attacker, victim.run_id
    refused = [
        them.call("GET", f"{V2}/runs/get?run_id={run_id}"),
        them.call("GET", f"{V2}/experiments/get?experiment_id={victim.experiment}"),
        them.call("GET", f"{V2}/experiments/get-by-name?experiment_name=secret-experiment"),
        them.call("GET", f"{V2}/metrics/get-history?run_id={run_id}&metric_key=loss"),
        them.call("GET", f"{V2}/artifacts/list?run_id={run_id}"),
        them.call("POST", f"{V2}/runs/update", {"run_id": run_id, "status": "FAILED"}),
        them.call("POST", f"{V2}/runs/set-tag", {"run_id": run_id, "key": "x", "value": "y"}),
        them.call("POST", f"{V2}/runs/log-parameter", {"run_id": run_id, "key": "x", "value": "y"}),
        them.call("POST", f"{V2}/runs/log-batch", {"run_id": run_id, "params": [{"key": "x", "value": "y"}]}),
        them.call("POST", f"{V2}/runs/create", {"experiment_id": victim.experiment}),
        them.call("POST", f"{V2}/logged-models", {"experiment_id": victim.experiment, "name": "m"}),
    ]
    assert [r.status_code for r in refused if r.ok] == [], [r.url for r in refused if r.ok]
    metric = {"run_id": run_id, "key": "loss", "value": 9, "timestamp": 2, "step": 1}
    them.call("POST", f"{V2}/runs/log-metric", metric)
    read = victim.owner.call("GET", f"{V2}/runs/get?run_id={run_id}").json()["run"]
    assert read["info"]["status"] == "RUNNING"
    assert read["data"]["metrics"][0]["value"] == 1
    assert "params" not in read["data"]


def test_searches_find_nothing_of_another_project(victim: Victim) -> None:
    them = victim.attacker
    answers = [
        them.call("POST", f"{V2}/runs/search", {"experiment_ids": [victim.experiment]}),
        them.call("POST", f"{V2}/experiments/search", {"max_results": 100}),
        them.call("GET", f"{V2}/registered-models/search"),
        them.call("GET", f"{V2}/model-versions/search"),
        them.call("POST", f"{V2}/logged-models/search", {"experiment_ids": [victim.experiment]}),
    ]
    assert not them.call("GET", f"{V2}/metrics/get-history-bulk-interval?run_ids={victim.run_id}&metric_key=loss").ok
    for answer in answers:
        assert victim.run_id not in answer.text
        assert "secret-experiment" not in answer.text
        assert "churn" not in answer.text


@pytest.mark.parametrize(
    "template",
    [
        "{root}/model/weights.bin",
        "workspaces/{workspace}/{rest}/model/weights.bin",
        "%77orkspaces/{workspace}/{rest}/model/weights.bin",
        "../{workspace}/{rest}/model/weights.bin",
        "%2e%2e/{workspace}/{rest}/model/weights.bin",
        "x/..%2f..%2f{workspace}/{rest}/model/weights.bin",
        "x/..%5c..%5c{workspace}/{rest}/model/weights.bin",
        "%252e%252e/{workspace}/{rest}/model/weights.bin",
        "/workspaces/{workspace}/{rest}/model/weights.bin",
        "./workspaces/{workspace}/{rest}/model/weights.bin",
        "workspaces//{workspace}/{rest}/model/weights.bin",
        "workspaces/{workspace}/../{workspace}/{rest}/model/weights.bin",
        "..;/{workspace}/{rest}/model/weights.bin",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_files_of_another_project_cannot_be_reached(victim: Victim, template: str, method: str) -> None:
    workspace = victim.project.mlflow_workspace
    rest = victim.artifact_root.removeprefix(f"workspaces/{workspace}/")
    path = template.format(root=victim.artifact_root, workspace=workspace, rest=rest)
    status, text = victim.attacker.raw(method, f"{FILES}/{path}", b"overwritten" if method == "PUT" else b"")
    assert "ours alone" not in text
    if method == "GET":
        assert status >= 400
    kept = victim.owner.call("GET", f"{FILES}/{victim.artifact_root}/model/weights.bin")
    assert kept.content == b"ours alone"


def test_listing_files_of_another_project_is_refused(victim: Victim) -> None:
    workspace = victim.project.mlflow_workspace
    for path in (victim.artifact_root, f"../{workspace}", f"workspaces/{workspace}", "..", "%2e%2e", "../.."):
        answer = victim.attacker.call("GET", f"{FILES}?path={path}")
        assert "weights" not in answer.text
        assert workspace not in answer.text or not answer.ok


def test_clients_cannot_choose_the_workspace(victim: Victim) -> None:
    path = f"{V2}/runs/get?run_id={victim.run_id}"
    for value in (victim.project.mlflow_workspace, "default", ""):
        for name in ("X-MLFLOW-WORKSPACE", "x-mlflow-workspace", "X_MLFLOW_WORKSPACE", "X-Mlflow-Workspace"):
            status, _ = victim.attacker.raw("GET", path, headers={name: value})
            assert status == 404


@pytest.mark.parametrize("source", ["runs:/{run}/model", "mlflow-artifacts:/{root}/model", "models:/churn/1"])
def test_registering_the_run_of_another_project_is_refused(victim: Victim, source: str) -> None:
    them = victim.attacker
    them.call("POST", f"{V2}/registered-models/create", {"name": "stolen"})
    text = source.format(run=victim.run_id, root=victim.artifact_root)
    for extra in ({}, {"run_id": victim.run_id}):
        made = them.call("POST", f"{V2}/model-versions/create", {"name": "stolen", "source": text, **extra})
        if made.ok:
            # MLflow takes a source that it does not resolve; then its files must not be had.
            uri = them.call("GET", f"{V2}/model-versions/get-download-uri?name=stolen&version=1").json()["artifact_uri"]
            folder = uri.partition("mlflow-artifacts:/")[2].strip("/")
            assert not folder or not them.call("GET", f"{FILES}/{folder}/weights.bin").ok
            assert "ours alone" not in them.call("GET", f"{V2}/artifacts/list?run_id={victim.run_id}").text


@pytest.mark.parametrize(
    "source", ["/etc", "file:///etc", "s3://bucket/x", "http://127.0.0.1/x", "dbfs:/x", "mlflow-artifacts://host/x"]
)
def test_sources_outside_the_platform_are_refused(victim: Victim, source: str) -> None:
    body = {"name": "churn", "source": source, "run_id": victim.run_id}
    assert not victim.owner.call("POST", f"{V2}/model-versions/create", body).ok


def test_experiments_cannot_point_elsewhere(victim: Victim) -> None:
    body = {"name": "elsewhere", "artifact_location": "file:///etc"}
    assert not victim.owner.call("POST", f"{V2}/experiments/create", body).ok


def test_models_of_another_project_cannot_be_changed(victim: Victim) -> None:
    them = victim.attacker
    answers = [
        them.call("GET", f"{V2}/registered-models/get?name=churn"),
        them.call("GET", f"{V2}/model-versions/get?name=churn&version=1"),
        them.call("GET", f"{V2}/model-versions/get-download-uri?name=churn&version=1"),
        them.call("PATCH", f"{V2}/model-versions/update", {"name": "churn", "version": "1", "description": "x"}),
        them.call("POST", f"{V2}/registered-models/alias", {"name": "churn", "version": "1", "alias": "champion"}),
        them.call("POST", f"{V2}/model-versions/set-tag", {"name": "churn", "version": "1", "key": "k", "value": "v"}),
    ]
    assert [a.url for a in answers if a.ok] == []
    assert them.call("POST", f"{V2}/registered-models/create", {"name": "churn"}).ok, "names are each project's own"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/3.0/mlflow/workspaces"),
        ("POST", "/api/3.0/mlflow/workspaces"),
        ("DELETE", "/api/3.0/mlflow/workspaces/default"),
        ("POST", "/api/2.0/mlflow/webhooks"),
        ("GET", "/api/2.0/mlflow/webhooks"),
        ("POST", "/ajax-api/3.0/jobs/"),
        ("GET", "/ajax-api/2.0/mlflow/runs/search"),
        ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
        ("POST", "/api/3.0/mlflow/gateway/secrets/create"),
        ("GET", "/api/3.0/mlflow/gateway/secrets/list"),
        ("GET", "/get-artifact?path=x&run_id=y"),
        ("GET", "/model-versions/get-artifact?path=x"),
        ("POST", "/graphql"),
        ("GET", "/"),
        ("GET", "/static-files/index.html"),
        ("GET", "/metrics"),
        ("POST", "/api/2.0/mlflow-artifacts/mpu/create/x"),
        ("POST", "/api/2.0/mlflow/artifacts/presigned-upload-url"),
        ("POST", "/api/3.0/mlflow/scorers/register"),
        ("GET", "//api/2.0/mlflow/experiments/search"),
        ("GET", "/api/2.0/mlflow/../mlflow/experiments/search"),
        ("GET", "/api/2.0/mlflow/experiments/%73earch"),
        ("TRACE", "/api/2.0/mlflow/experiments/search"),
        ("CONNECT", "/version"),
    ],
)
def test_what_is_not_on_the_list_is_refused(victim: Victim, method: str, path: str) -> None:
    status, _ = victim.attacker.raw(method, path)
    assert status in (400, 404, 405, 422)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{V2}/runs/delete", {"run_id": "x"}),
        ("POST", f"{V2}/experiments/delete", {"experiment_id": "1"}),
        ("DELETE", f"{V2}/model-versions/delete", {"name": "churn", "version": "1"}),
        ("DELETE", f"{V2}/registered-models/delete", {"name": "churn"}),
        ("POST", f"{V2}/registered-models/rename", {"name": "churn", "new_name": "x"}),
        ("POST", f"{V2}/model-versions/transition-stage", {"name": "churn", "version": "1", "stage": "Production"}),
        ("DELETE", f"{FILES}/x/y", None),
        ("POST", f"{V2}/registered-models/alias", {"name": "churn", "version": "1", "alias": "production"}),
        ("POST", f"{V2}/registered-models/alias", {"name": "churn", "version": "1", "alias": "Production"}),
        ("DELETE", f"{V2}/registered-models/alias", {"name": "churn", "alias": "production"}),
    ],
)
def test_what_governance_forbids_is_refused_with_a_remedy(victim: Victim, method: str, path: str, body: Any) -> None:
    answer = victim.owner.call(method, path, body)
    assert answer.status_code == 403
    assert answer.json()["error_code"] == "PERMISSION_DENIED"
    assert len(answer.json()["message"]) > 60


def test_the_protected_alias_cannot_be_smuggled_in(victim: Victim) -> None:
    fields = {"name": "churn", "version": "1", "alias": "production"}
    twice = b'{"name": "churn", "version": "1", "alias": "ok", "alias": "production"}'
    encoded = json.dumps(json.dumps(fields)).encode()
    for body in (twice, encoded):
        for kind in ("application/json", "text/plain", "application/json; charset=utf-16"):
            victim.owner.raw("POST", f"{V2}/registered-models/alias", body, {"Content-Type": kind})
    query = f"{V2}/registered-models/alias?name=churn&version=1&alias=production"
    victim.owner.raw("POST", query, b"{}", {"Content-Type": "application/json"})
    read = victim.owner.call("GET", f"{V2}/registered-models/get?name=churn").json()["registered_model"]
    assert "production" not in [alias["alias"] for alias in read.get("aliases", [])]


def test_files_of_a_registered_version_cannot_be_overwritten(victim: Victim) -> None:
    for path in (
        f"{victim.artifact_root}/model/weights.bin",
        f"{victim.artifact_root}/model/new.bin",
        f"{victim.artifact_root}/mod%65l/weights.bin",
        victim.artifact_root.partition(f"{victim.project.mlflow_workspace}/")[2] + "/model/weights.bin",
    ):
        status, text = victim.owner.raw("PUT", f"{FILES}/{path}", b"changed")
        assert status == 403, (path, text)
        assert "churn version 1" in text
    status, _ = victim.owner.raw("PUT", f"{FILES}/{victim.artifact_root}/other/file.txt", b"fine")
    assert status == 200
    kept = victim.owner.call("GET", f"{FILES}/{victim.artifact_root}/model/weights.bin")
    assert kept.content == b"ours alone"


def test_the_run_tag_is_stamped_and_cannot_be_forged(victim: Victim, live_run: Callable[..., Any]) -> None:
    run, token = live_run(victim.project)
    owner = Tracker(victim.owner.web, token)
    made = owner.run(victim.experiment, tags=[{"key": "a", "value": "b"}])
    tags = {tag["key"]: tag["value"] for tag in made["data"]["tags"]}
    assert tags["modelwright.run_id"] == str(run.pk)
    assert tags["a"] == "b"
    forged = {"key": "modelwright.run_id", "value": "other"}
    mlflow_id = made["info"]["run_id"]
    for path, body in (
        ("runs/create", {"experiment_id": victim.experiment, "tags": [forged]}),
        ("runs/set-tag", {"run_id": mlflow_id, **forged}),
        ("runs/delete-tag", {"run_id": mlflow_id, "key": "modelwright.run_id"}),
        ("runs/log-batch", {"run_id": mlflow_id, "tags": [forged]}),
    ):
        assert owner.call("POST", f"{V2}/{path}", body).status_code == 403


def test_who_registers_a_version_is_stamped_and_cannot_be_forged(victim: Victim, live_run: Callable[..., Any]) -> None:
    run, token = live_run(victim.project)
    owner = Tracker(victim.owner.web, token)
    made = {"name": "churn", "source": f"runs:/{victim.run_id}/model", "run_id": victim.run_id}
    for key in ("modelwright.user", "modelwright.run_id"):
        forged, one = {"key": key, "value": "other"}, {"name": "churn", "version": "1"}
        for method, path, body in (
            ("POST", "create", {**made, "tags": [forged]}),
            ("POST", "set-tag", {**one, **forged}),
            ("DELETE", "delete-tag", {**one, "key": key}),
        ):
            assert owner.call(method, f"{V2}/model-versions/{path}", body).status_code == 403
    answer = owner.call("POST", f"{V2}/model-versions/create", {**made, "tags": [{"key": "mine", "value": "1"}]})
    tags = {tag["key"]: tag["value"] for tag in answer.json()["model_version"]["tags"]}
    assert tags == {"mine": "1", "modelwright.run_id": str(run.pk), "modelwright.attempt": "1"}


def test_workspaces_are_not_mentioned(victim: Victim) -> None:
    info = victim.attacker.call("GET", "/api/3.0/mlflow/server-info").json()
    assert info["workspaces_enabled"] is False


@pytest.mark.parametrize("token", ["", "mwr_wrong", "mwt_wrong", "nonsense"])
def test_no_valid_token_is_401(web: str, token: str) -> None:
    answer = Tracker(web, token).call("GET", f"{V2}/experiments/search")
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "UNAUTHENTICATED"


def test_a_run_token_names_no_other_project(victim: Victim) -> None:
    path = f"{V2}/runs/get?run_id={victim.run_id}"
    by_header = victim.attacker.call("GET", path, X_Modelwright_Project=str(victim.project.pk))
    by_path = Tracker(victim.attacker.web, victim.attacker.token, f"/mlflow/projects/{victim.project.pk}")
    assert by_header.status_code == 401
    assert by_path.call("GET", path).status_code == 401


def test_people_track_as_their_role_allows(victim: Victim, make_user: Any, make_project: Any, stranger: Any) -> None:
    for name in ("vic", "opa", "con"):
        make_user(name)
    project = make_project("roles", vic="viewer", opa="operator", con="contributor")
    web, prefix = victim.owner.web, f"/mlflow/projects/{project.pk}"

    def tracker(user: Any, scope: str = "full") -> Tracker:
        return Tracker(web, create_token(name="t", scope=scope, acting_user=Actor.person(user))[1], prefix)

    people = {m.user.username: m.user for m in project.memberships.select_related("user")}
    contributor, operator, viewer = (tracker(people[name]) for name in ("con", "opa", "vic"))
    create, register = f"{V2}/experiments/create", f"{V2}/registered-models/create"
    assert contributor.call("POST", create, {"name": "a"}).ok
    assert contributor.call("POST", register, {"name": "a"}).ok
    for nowhere in ({"experiment_id": "0"}, {}):
        chosen = contributor.call("POST", f"{V2}/runs/create", nowhere)
        assert chosen.status_code == 422
        assert "Set MLFLOW_EXPERIMENT_NAME" in chosen.json()["message"]
    assert operator.call("POST", create, {"name": "b"}).ok
    assert operator.call("POST", register, {"name": "b"}).status_code == 403
    assert viewer.call("GET", f"{V2}/experiments/search?max_results=5").ok
    assert viewer.call("POST", create, {"name": "c"}).status_code == 403
    assert tracker(people["con"], scope="read").call("POST", create, {"name": "d"}).status_code == 403
    assert tracker(stranger).call("GET", f"{V2}/experiments/search?max_results=5").status_code == 404
    assert Tracker(web, contributor.token).call("GET", f"{V2}/experiments/search?max_results=5").status_code == 422


def test_a_body_over_the_limit_is_refused_at_once(victim: Victim) -> None:
    path = f"{V2}/runs/log-batch"
    status, text = victim.owner.raw("POST", path, b"", {"Content-Length": str(40 * 1024**2)})
    assert status in (400, 413), text
