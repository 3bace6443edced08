"""What was rolled back on the gateway's host while there was no database comes on record, each of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.endpoints import routes, selectors, services
from models.endpoints.adopting import adopt
from models.endpoints.asked import Asked
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.switching import switched
from models.gateway import table_file
from models.gateway.rollback import go_back
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from projects.models import Project
from tests.endpoints.test_services import make_live, version_of
from tests.gateway.processes import endpoint as table_entry
from tests.gateway.processes import target

pytestmark = pytest.mark.django_db


def served(deployment: Deployment) -> dict[str, Any]:
    """What the table says of a deployment."""
    version = deployment.targets.get().model_version
    entry = table_entry(deployment.number, target("wine", version.number, f"/s/{version.number}"))
    return {**entry, "deployment_id": str(deployment.pk), "endpoint_id": str(deployment.endpoint_id)}


def test_going_back_several_times_before_there_is_a_database_again_is_kept_whole(
    project: Project, ann: User, data: Path
) -> None:
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    good, bad = (
        services.deploy(endpoint, model_version=version_of(project, number), acting_user=Actor.person(ann))
        for number in (1, 2)
    )
    make_live(good)
    make_live(bad)
    entry = {**served(bad), "state": "active", "next_number": 3, "warm": [served(good)]}
    table_file.replace(routes.routes_file(), {"revision": 1, "endpoints": {endpoint.path: entry}})
    for reason in ("it burns", "was it that?", "it was"):
        go_back(routes.routes_file(), endpoint.path, reason=reason, by="root")
    table = table_file.read(routes.routes_file())
    assert table is not None
    serves = table["endpoints"][endpoint.path]

    assert adopt() == frozenset()
    live = selectors.live_deployment(endpoint)
    assert live is not None
    assert (str(live.pk), live.number) == (serves["deployment_id"], serves["deployment_number"])
    rows = Deployment.objects.filter(endpoint=endpoint, number__gt=2).order_by("number")
    assert [(row.repeats, row.reason, row.state) for row in rows] == [
        (good, "it burns", "superseded"),
        (bad, "was it that?", "superseded"),
        (good, "it was", "live"),
    ]
    events = AuditEvent.objects.filter(action="rollback.emergency").order_by("id")
    assert [event.reason for event in events] == ["it burns", "was it that?", "it was"]
    assert adopt() == frozenset()
    assert events.count() == 3
    assert AuditEvent.objects.filter(action="deployment.live", target_id=str(live.pk)).count() == 1


def test_one_of_them_that_cannot_be_kept_does_not_cost_the_last(project: Project, ann: User, data: Path) -> None:
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    good, bad = (
        services.deploy(endpoint, model_version=version_of(project, number), acting_user=Actor.person(ann))
        for number in (1, 2)
    )
    make_live(good)
    make_live(bad)
    unknown = {**served(good), "deployment_id": "00000000-0000-7000-8000-000000000009"}
    entry = {**served(bad), "state": "active", "next_number": 3, "warm": [unknown, served(good)]}
    table_file.replace(routes.routes_file(), {"revision": 1, "endpoints": {endpoint.path: entry}})
    go_back(routes.routes_file(), endpoint.path, reason="it burns", by="root")
    assert routes.not_adopted(table_file.read(routes.routes_file())).keys() == adopt()
    go_back(routes.routes_file(), endpoint.path, reason="to what is known", number=1, by="root")
    assert adopt() == frozenset()
    live = selectors.live_deployment(endpoint)
    assert live is not None
    assert (live.repeats, live.reason) == (good, "to what is known")


def test_a_rollback_to_what_never_served_is_not_adopted(project: Project, ann: User, data: Path) -> None:
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    never, good = (
        services.deploy(endpoint, model_version=version_of(project, number), acting_user=Actor.person(ann))
        for number in (1, 2)
    )
    make_live(good)
    never.refresh_from_db()
    assert never.live_at is None
    entry = {**served(good), "state": "active", "next_number": 3, "warm": [served(never)]}
    table_file.replace(routes.routes_file(), {"revision": 1, "endpoints": {endpoint.path: entry}})
    go_back(routes.routes_file(), endpoint.path, reason="it was never approved", by="root")
    assert adopt() == frozenset({endpoint.path})
    assert not Deployment.objects.filter(endpoint=endpoint, kind="rollback").exists()
    live = selectors.live_deployment(endpoint)
    assert live is not None
    assert live.pk == good.pk


def two_served(project: Project, ann: User) -> tuple[Endpoint, Deployment, Deployment]:
    """An endpoint, what served first, and what serves; the first is warm in the table."""
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    first, second = (
        services.deploy(endpoint, model_version=version_of(project, number), acting_user=Actor.person(ann))
        for number in (1, 2)
    )
    make_live(first)
    make_live(second)
    entry = {**served(second), "state": "active", "next_number": 3, "warm": [served(first)]}
    table_file.replace(routes.routes_file(), {"revision": 1, "endpoints": {endpoint.path: entry}})
    return endpoint, first, second


def test_what_was_stopped_before_it_was_known_stays_stopped_and_the_rollback_on_record(
    project: Project, ann: User, data: Path
) -> None:
    endpoint, first, _ = two_served(project, ann)
    go_back(routes.routes_file(), endpoint.path, reason="it burns", by="root")
    services.stop(endpoint, acting_user=Actor.person(ann))
    assert adopt() == frozenset()
    endpoint.refresh_from_db()
    kept = Deployment.objects.get(number=3)
    assert (endpoint.state, kept.state, kept.repeats) == ("stopped", "superseded", first)
    assert "stopped meanwhile" in kept.detail
    assert selectors.live_deployment(endpoint) is None


def test_what_was_on_its_way_is_called_off_and_what_comes_is_of_the_stage_that_it_had(
    project: Project, ann: User, data: Path
) -> None:
    endpoint, first, second = two_served(project, ann)
    Endpoint.objects.filter(pk=endpoint.pk).update(stage="production")
    coming = Deployment.objects.create(endpoint=endpoint, number=3, actor_name="ann", stage="production")
    go_back(routes.routes_file(), endpoint.path, reason="it burns", by="root")
    assert adopt() == frozenset()
    for each in (coming, second):
        each.refresh_from_db()
    assert (coming.state, second.state) == ("superseded", "superseded")
    assert "a rollback on the gateway's host" in coming.detail
    kept = Deployment.objects.get(number=4)
    assert (kept.state, kept.repeats, kept.stage) == ("live", first, "lab"), "nobody has approved it"
    assert kept.is_emergency


def test_what_was_rolled_back_on_the_host_is_not_switched_from_nor_written_over_before_it_is_known(
    project: Project, ann: User, data: Path
) -> None:
    endpoint, first, _ = two_served(project, ann)
    go_back(routes.routes_file(), endpoint.path, reason="it burns", by="root")
    table = table_file.read(routes.routes_file())
    assert table is not None
    now = table["endpoints"][endpoint.path]
    asked = Deployment(endpoint=endpoint, number=4, kind="rollback", repeats=first)
    targets = [{**one, "role": "live"} for one in now["targets"]]
    content: dict[str, Any] = {"routing": {}, "fallback": None, "graph": None, "targets": targets}
    entry = {**now, **content, "warm": [{**served(first), **content}]}
    sockets = [socket for one in now["targets"] for socket in one["sockets"]]
    assert switched(entry, asked, sockets) is None
    plain = {name: value for name, value in entry.items() if name != "rolled_back"}
    assert switched(plain, asked, sockets) is not None
    assert switched({**plain, "state": "stopped"}, asked, sockets) is None
    assert switched(plain, asked, ["/s/another"]) is None, "nobody is sent to nobody"
    published = routes.publish({endpoint.path: served(first)})
    assert published.left == {endpoint.path}
    kept = table_file.read(routes.routes_file())
    assert kept is not None
    assert kept["endpoints"][endpoint.path] == now
    seen = Asked(endpoint.path, (endpoint.state, 2))
    assert routes.publish_one(endpoint, lambda _: {**now, "targets": "none"}, seen=seen) is None, "nobody could read it"
