"""Graphs of a project's file: what may be deployed, what is refused, and one that serves through everything real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from models.endpoints import selectors, services
from models.endpoints.graphs import declared, deploy_graph, resolve
from models.endpoints.models import Endpoint
from models.predictions.models import Prediction
from models.predictions.receipts import receipt_of
from models.predictions.reexecution_services import start_reexecution
from models.predictions.shipping import ship_once
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.core.errors import Conflict, NotFound, ValidationFailed
from projects import source
from projects.models import Project
from tests.gateway.graphs import xray
from tests.gateway.processes import Gateway
from tests.models_support import ready_version, wait_for

FILE = """
name: wine
graphs:
  xray:
    start: scale
    nodes:
      scale: {kind: transformer, model: xray-scaler, then: detect}
      detect: {model: xray-detector, input: scale, then: decide}
      decide:
        kind: router
        on: detect
        cases:
          - {when: {probability: {class: ill, below: 0.2}}, then: {answer: {finding: none}}}
        otherwise: classify
      classify: {model: xray-types, input: scale, then: sure}
      sure:
        kind: router
        on: classify
        cases:
          - {when: {confidence: {below: 0.6}}, then: {answer: {finding: ask a human}}}
        otherwise: {answer: classify}
  circle:
    start: a
    nodes: {a: {model: xray-scaler, then: b}, b: {model: xray-scaler, then: a}}
  unknown:
    start: a
    nodes: {a: {model: nothing}}
"""


@pytest.fixture
def declaring(project: Project, data: Path) -> Project:
    """The project with the file and a version of each model."""
    source.init_repository(project)
    author = source.Author("ann", "ann@example.org")
    changes = {"modelwright.yaml": FILE.encode()}
    source.commit_files(project, changes, message="Graphs", author=author, expected_head=source.head(project))
    xray.trained()
    for name in xray.MODELS:
        ready_version(project, name, name=name)
    return project


@pytest.fixture
def endpoint(declaring: Project, ann: User) -> Endpoint:
    return services.create_endpoint(project=declaring, name="xray", acting_user=Actor.person(ann))


@pytest.mark.django_db
def test_each_node_gets_the_newest_version_that_is_ready_or_the_one_that_is_asked_for(declaring: Project) -> None:
    ready_version(declaring, "xray-types", name="xray-types", number=2)
    newest = resolve(declaring, "xray")
    assert {node: version.number for node, version in newest.versions.items()} == {
        "scale": 1,
        "detect": 1,
        "classify": 2,
    }
    assert newest.data["nodes"]["classify"]["version"] == 2
    assert len(newest.targets()) == 3
    older = resolve(declaring, "xray", versions={"classify": 1})
    assert older.versions["classify"].number == 1
    with pytest.raises(ValidationFailed, match="no node 'decide' that asks a model"):
        resolve(declaring, "xray", versions={"decide": 1})
    with pytest.raises(NotFound, match="declares no graph called 'zebra'"):
        resolve(declaring, "zebra")


@pytest.mark.django_db
def test_what_is_wrong_with_a_graph_is_said_where_it_is_declared(declaring: Project) -> None:
    found = {each.name: each for each in declared(declaring)}
    assert found["xray"].error is None
    circle, unknown = found["circle"].error, found["unknown"].error
    assert circle is not None
    assert "circle" in circle.message
    assert unknown is not None
    assert unknown.errors[0].field == "graphs.unknown.nodes.a.model"


@pytest.mark.django_db
def test_a_graph_is_deployed_by_those_who_may_and_drawn_for_all(
    endpoint: Endpoint, ann: User, make_user: Callable[..., User], client: Client
) -> None:
    with pytest.raises(NotFound, match="no such project"):
        deploy_graph(endpoint, name="nothing", acting_user=Actor.person(make_user("stranger")))
    client.force_login(ann)
    page = client.get(f"/endpoints/{endpoint.pk}/graph/deploy/")
    assert page.status_code == 200
    assert b"xray-detector" in page.content
    assert b"graphs.unknown.nodes.a.model" in page.content
    made = client.post(f"/endpoints/{endpoint.pk}/graph/deploy/", {"graph": "xray", "reason": "two steps"})
    assert made.status_code == 302, made.content
    deployment = selectors.under_way(endpoint)
    assert deployment is not None
    assert deployment.graph
    assert {(target.role, target.weight) for target in deployment.targets.all()} == {("node", 0)}
    assert deployment.evidence["graph"]["name"] == "xray"
    drawn = client.get(f"/endpoints/{endpoint.pk}/graph/").content.decode()
    assert "<svg" in drawn
    assert "P(ill) of detect &lt; 0.2" in drawn


@pytest.mark.django_db
def test_graphs_over_rest(endpoint: Endpoint, ann: User, api: Callable[[User], Any]) -> None:
    rest = api(ann)
    found = {one["name"]: one for one in rest.get(f"/api/v1/projects/{endpoint.project_id}/graphs/").json()["results"]}
    assert found["xray"]["graph"]["nodes"]["detect"]["version"] == 1
    assert found["circle"]["graph"] is None
    assert found["circle"]["problems"][0]["field"] == "graphs.circle.nodes"
    address = f"/api/v1/endpoints/{endpoint.pk}/graph-deployments/"
    body = {"graph": "xray", "versions": {"classify": 1}, "reason": "two steps"}
    made = rest.post(address, body, content_type="application/json")
    assert made.status_code == 201, made.content
    assert {target["role"] for target in made.json()["targets"]} == {"node"}
    refused = rest.post(address, {"graph": "circle"}, content_type="application/json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "graphs.circle.nodes")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_graph_serves_is_on_record_by_node_and_has_a_receipt(
    endpoint: Endpoint, ann: User, gateway: Gateway, turn: Callable[[], bool], data: Path, client: Client
) -> None:
    actor = Actor.person(ann)
    _, key = services.create_key(endpoint, name="clinic", acting_user=actor)
    deployment = deploy_graph(endpoint, name="xray", reason="two steps", acting_user=actor)

    def is_live() -> bool:
        turn()
        deployment.refresh_from_db()
        assert deployment.state != "failed", deployment.detail
        return deployment.state == "live"

    wait_for(is_live)
    image = next(one["image"] for one in xray.held_out() if one["digit"] == 7)
    answer = gateway.predict({"": image}, key=key, name=endpoint.path)
    assert (answer.status_code, answer.json()["predictions"]) == (200, [7])
    client.force_login(ann)
    tried = client.get(f"/endpoints/{endpoint.pk}/try/")
    assert tried.status_code == 200
    assert client.get(f"/endpoints/{endpoint.pk}/").status_code == 200

    ship_once(data / "gateway" / "spool")
    prediction = Prediction.objects.get(pk=answer.json()["prediction_id"])
    assert [step["node"] for step in prediction.nodes or ()] == ["scale", "detect", "decide", "classify", "sure"]
    page = client.get(f"/predictions/{prediction.pk}/").content.decode()
    assert "xray-types version 1" in page
    assert "answer: classify" in page
    assert "lineage-start" in page
    with pytest.raises(Conflict, match="inference graph"):
        start_reexecution(prediction, acting_user=actor)
    output: dict[str, Any] = receipt_of(prediction)["payload"]["output"]
    assert len(output["nodes_sha256"]) == 64
