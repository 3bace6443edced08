"""`docker compose up`, the main job on it, what its containers may do, and a restore. One after the other."""

from __future__ import annotations

import json

import pytest

from modelwright.local.demo.client import wait_for
from tests.compose.journey import Served, details_of, listed, recorded, serve_iris
from tests.compose.stack import USERS, Compose

SERVICES = {
    *("postgres", "redis", "mlflow", "web", "gateway"),
    *("worker", "watcher", "beat", "shipper", "keeper", "sessions"),
}


@pytest.fixture(scope="module")
def served(compose: Compose) -> Served:
    """A model that answers."""
    return serve_iris(compose.api(), "containers")


def test_every_service_is_healthy_and_may_do_little(compose: Compose) -> None:
    containers = compose.containers()
    assert set(containers) == SERVICES
    for name, told in containers.items():
        host = told["HostConfig"]
        assert told["State"]["Health"]["Status"] == "healthy", name
        assert told["Config"]["User"] in USERS, name
        assert host["CapDrop"] == ["ALL"], name
        assert host["ReadonlyRootfs"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert not host["Privileged"], name
    with_engine = {name for name, told in containers.items() if "docker.sock" in json.dumps(told["Mounts"])}
    assert with_engine == {"keeper"}
    on_data = {name for name, told in containers.items() if networks(compose, told) == {"data"}}
    assert {"postgres", "redis"} <= on_data


def test_no_secret_can_be_read_from_the_engine(compose: Compose, served: Served) -> None:
    told = json.dumps([*compose.containers().values(), *compose.workloads()])
    for name, value in {**compose.passwords(), "endpoint's key": served.key}.items():
        assert value not in told, name


def test_a_run_becomes_a_model_that_answers_and_its_answers_are_on_record(compose: Compose, served: Served) -> None:
    assert [answer["version"] for answer in served.ask()] == [1, 1]
    running = [told for told in compose.workloads() if told["State"]["Running"]]
    assert running, "the model serves in a container"
    for told in running:
        assert told["HostConfig"]["NetworkMode"] == "none"
        assert told["Config"]["User"] == "10001:10001"
    wait_for(lambda: recorded(compose.api(), served) >= 2, 60, "The predictions' being on record")


def test_the_gateways_way_back_is_reached_in_its_container(compose: Compose, served: Served) -> None:
    """It holds the table's lock, so it may write there; there is nothing that this endpoint served before."""
    name = "/".join(served.endpoint["url"].split("/")[3:5])
    command = f"python -m models.gateway.rollback {name} --routes {compose.data}/gateway/routes.json --reason tried"
    said = compose.compose("exec", "-T", "gateway", "sh", "-c", f"{command} 2>&1 || echo ended with $?")
    assert said.startswith(f"Nothing was changed. No earlier deployment of {name} that fits is warm"), said
    assert "ended with 1" in said


def test_what_was_lost_is_restored_from_a_backup(compose: Compose, served: Served) -> None:
    api = compose.api()
    pages = ("workspaces/", "projects/", "models/", "endpoints/", f"endpoints/{served.endpoint['id']}/keys/")
    before = {page: api.get(f"/api/v1/{page}") for page in pages}
    asked = recorded(api, served)
    answers = served.ask()
    wait_for(lambda: recorded(api, served) >= asked + len(answers), 60, "The predictions' being on record")
    predictions = listed(api, served)
    details = details_of(api, predictions)
    assert all(answer["predictions"] in [one["outputs"] for one in details] for answer in answers)
    # A second start of what was stopped is another thing than the first.
    compose.compose("restart", "--timeout", "10", "postgres")
    compose.compose("run", "--rm", "backup")
    manifest = next(compose.backups.glob("*.json")).name

    compose.lose_everything()
    compose.prepare()
    compose.compose("run", "--rm", "restore", f"/backups/{manifest}")
    compose.compose("up", "--detach", "--wait", "web")

    api = compose.api()
    assert {page: api.get(f"/api/v1/{page}") for page in pages} == before
    assert api.get("/api/v1/audit-chain/", verify="true")["fault"] == ""
    assert [one for one in listed(api, served) if one in predictions] == predictions
    assert details_of(api, predictions) == details
    compose.compose("up", "--detach", "--wait")
    # The image of its environment is made anew.
    assert wait_for(served.answers, 600, "The restored endpoint's answer") == answers
    # What it answers now comes on top of what it answered before.
    more = len(predictions) + len(answers)
    wait_for(lambda: recorded(api, served) >= more, 60, "The new predictions' being on record")
    assert [one for one in listed(api, served) if one in predictions] == predictions


def networks(compose: Compose, told: dict[str, dict[str, dict[str, object]]]) -> set[str]:
    """The networks of a container by their names in the file."""
    return {name.removeprefix(f"{compose.name}_") for name in told["NetworkSettings"]["Networks"]}
