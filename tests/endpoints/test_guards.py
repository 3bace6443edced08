"""What each guard of the reconciler keeps from happening in between: the machine of states looks at the end alone."""

from __future__ import annotations

import pytest

from models.endpoints import publishing, reconciler, replicas, routes, selectors, services, settling
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Deployment, Endpoint, Replica
from models.endpoints.plan import Wish, make_plan
from models.endpoints.viewing import View, note_answering, views
from models.gateway import table_file
from modelwright.core.ids import new_id
from tests.endpoints.test_hastening import live_number, rounds, served
from tests.endpoints.test_reconciler_machine import World, world  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("world"),
    pytest.mark.timeout(120),
]


def asked_now(endpoint: Endpoint) -> int:
    """The number of the deployment by which the file has the gateway answer."""
    table = table_file.read(routes.routes_file())
    assert table is not None
    entry = table["endpoints"][endpoint.path]
    assert all(target["sockets"] for target in entry["targets"] if target["weight"]), "nobody is sent to nobody"
    return int(entry["deployment_number"])


def seen(endpoint: Endpoint) -> View:
    """The endpoint as a round looks at it."""
    (view,) = views([endpoint.pk])
    note_answering(view, replicas.probe)
    return view


def on_its_way(room: World, endpoint: Endpoint) -> Deployment:
    """Deployment 3, of version 3, whose replica answers; the gateway does not look."""
    room.gateway.frozen = True
    made = services.deploy(endpoint, model_version=room.versions[2], acting_user=room.actor)
    rounds()
    made.refresh_from_db()
    return made


def test_nothing_is_served_before_it_answers_nor_live_before_the_gateway_knows() -> None:
    room, endpoint = served()
    before = routes.gateway_revision()
    made = services.deploy(endpoint, model_version=room.versions[2], acting_user=room.actor)
    reconciler.tick()
    reconciler.tick()
    assert asked_now(endpoint) == 2, "no host has started its replica"
    room.gateway.frozen = True
    rounds()
    made.refresh_from_db()
    assert (asked_now(endpoint), made.state, live_number(endpoint)) == (3, "starting", 2)
    room.gateway.frozen = False
    rounds()
    assert live_number(endpoint) == 3
    after = routes.gateway_revision()
    assert before is not None
    assert after is not None
    assert after > before, "another table has another revision"


def test_what_was_asked_for_since_a_round_looked_is_not_overridden_by_it() -> None:
    room, endpoint = served()
    made = on_its_way(room, endpoint)
    view = seen(endpoint)
    table = table_file.read(routes.routes_file())
    services.deploy(endpoint, model_version=room.versions[0], acting_user=room.actor)
    settling.go_live(view.endpoint, made, view.seen)
    made.refresh_from_db()
    assert (made.state, live_number(endpoint)) == ("starting", 2)
    Deployment.objects.filter(number=2).update(reason="so that the entry would be another one")
    change_endpoint(endpoint, retention_days=7, redacted_columns=["income"], acting_user=room.actor)
    view.endpoint.refresh_from_db()
    assert publishing.publish_one(view) is None
    assert publishing.publish([view], ()).left == {endpoint.path}
    assert table_file.read(routes.routes_file()) == table
    assert publishing.publish([seen(endpoint)], ()).left == frozenset()


def test_a_stop_is_not_undone_by_a_round_that_looked_before() -> None:
    room, endpoint = served()
    view = seen(endpoint)
    services.stop(endpoint, acting_user=room.actor)
    reconciler.tick()
    assert endpoint.path not in routes.published()
    assert publishing.publish_one(view) is None
    assert endpoint.path not in routes.published()
    assert selectors.live_deployment(endpoint) is None


def test_no_replica_ends_before_the_gateway_asks_the_others_alone() -> None:
    room, endpoint = served()
    change_endpoint(endpoint, min_replicas=2, max_replicas=2, acting_user=room.actor)
    rounds(4)
    serving = Replica.objects.filter(model_version=room.versions[1], workload__finished_at=None)
    assert serving.filter(healthy_at__isnull=False).count() == 2
    room.gateway.frozen = True
    change_endpoint(endpoint, min_replicas=1, max_replicas=1, acting_user=room.actor)
    rounds()
    assert serving.filter(workload__cancel_requested_at=None).count() == 2
    room.gateway.frozen = False
    rounds()
    assert serving.filter(workload__cancel_requested_at=None).count() == 1


def test_what_is_older_than_the_live_one_is_never_on_its_way_again() -> None:
    older, live = new_id(), new_id()
    wishes = [
        Wish(older, 3, "starting", (new_id(),), is_way_back=False),
        Wish(live, 4, "live", (new_id(),), is_way_back=False),
    ]
    plan = make_plan(wishes, is_active=True)
    assert plan.candidate is None
    assert plan.live is not None
    assert plan.live.id == live
    assert [wish.id for wish in plan.overtaken] == [older]
