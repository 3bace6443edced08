"""What is warm serves at once, whoever sees to it, and however many do; a drill beside it is nobody's business here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from models.endpoints import awaiting, hastening, reconciler, replicas, routes, selectors, services, switching
from models.endpoints.models import Deployment, Endpoint, Replica
from models.endpoints.paths import path_of
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from tests.conftest import ApiClient
from tests.endpoints.test_reconciler_machine import WORLD, World, world  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("world"),
    pytest.mark.timeout(120),
]

REASON = {"reason": "worse"}


def rounds(number: int = 3) -> None:
    for _ in range(number):
        WORLD[0].host.turn()
        reconciler.tick()


def served() -> tuple[World, Endpoint]:
    """Version 2 serves, and version 1 is warm."""
    room = WORLD[0]
    endpoint = services.create_endpoint(project=room.project, name="wine", acting_user=room.actor)
    for version in room.versions[:2]:
        services.deploy(endpoint, model_version=version, acting_user=room.actor)
        rounds()
    return room, endpoint


def live_number(endpoint: Endpoint) -> int:
    live = selectors.live_deployment(endpoint)
    assert live is not None
    return live.number


def test_two_that_hasten_the_same_rollback_bring_it_to_serve_once(monkeypatch: pytest.MonkeyPatch) -> None:
    room, endpoint = served()
    monkeypatch.setattr(hastening, "GATEWAY_SECONDS", 60.0)
    before = routes.gateway_revision()
    assert before is not None
    services.rollback(endpoint, reason="worse", acting_user=room.actor)
    both = Barrier(2)

    def hasten() -> bool:
        try:
            both.wait(30)
            return hastening.hasten(endpoint.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = [each.result(60) for each in [pool.submit(hasten), pool.submit(hasten)]]
    assert any(outcomes)
    assert live_number(endpoint) == 3
    live = Deployment.objects.get(number=3)
    assert AuditEvent.objects.filter(action="deployment.live", target_id=str(live.pk)).count() == 1
    assert routes.gateway_revision() == before + 1, "the second one found nothing to change"
    rounds()
    assert Deployment.objects.filter(state="live").count() == 1


def test_whatever_goes_wrong_with_hastening_the_rollback_stands_and_the_next_round_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room, endpoint = served()

    def breaks(_: Any) -> bool:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(awaiting, "switch", breaks)
    monkeypatch.setattr(awaiting, "hasten", breaks)
    made = services.rollback(endpoint, reason="worse", acting_user=room.actor)
    assert awaiting.wait_until_live(made, seconds=0.1) is False
    assert live_number(endpoint) == 2
    rounds()
    assert live_number(endpoint) == 3


def test_a_rollback_over_rest_serves_by_what_the_table_says_and_asks_the_database_few_times(
    monkeypatch: pytest.MonkeyPatch, api: Callable[[User], ApiClient]
) -> None:
    room, endpoint = served()
    monkeypatch.setattr(hastening, "GATEWAY_SECONDS", 60.0)
    monkeypatch.setattr(awaiting, "hasten", lambda _: pytest.fail("it looked at the endpoint anew"))
    reconciler.tick()
    before = routes.published()[endpoint.path]
    client = api(room.actor.require_user())
    with CaptureQueriesContext(connection) as asked:
        answer = client.post(f"/api/v1/endpoints/{endpoint.pk}/rollbacks/", REASON, content_type="application/json")
        queries = connection.queries[-100:]
    assert (answer.status_code, answer.json()["state"], answer.json()["repeats"]) == (201, "live", 1)
    assert [one["version"] for one in answer.json()["targets"]] == [1]
    assert len(queries) <= 40, "\n".join(each["sql"][:100] for each in queries)
    assert asked is not None
    switched = routes.published()[endpoint.path]
    assert switched["targets"] == before["warm"][0]["targets"]
    assert (switched["deployment_number"], switched["next_number"], switched["keys"]) == (3, 4, before["keys"])
    assert [one["deployment_number"] for one in switched["warm"]] == [2]
    rounds()
    assert routes.published()[endpoint.path] == switched, "the reconciler finds nothing to mend"
    assert live_number(endpoint) == 3
    events = AuditEvent.objects.filter(target_id=answer.json()["id"]).order_by("pk")
    assert [each.action for each in events] == ["rollback.requested", "deployment.live"]
    assert [each["version"] for each in (events[1].after or {})["versions"]] == ["wine version 1"]


def test_what_the_table_calls_warm_is_not_switched_to_once_its_replica_is_gone_or_something_newer_is_asked() -> None:
    room, endpoint = served()
    reconciler.tick()
    room.host.crash(Replica.objects.get(model_version=room.versions[0], workload__finished_at=None))
    back = services.rollback(endpoint, reason="worse", acting_user=room.actor)
    assert not switching.switch(back), "its replica is gone"
    rounds()
    assert live_number(endpoint) == 3
    overtaken = services.rollback(endpoint, reason="worse still", acting_user=room.actor)
    services.deploy(endpoint, model_version=room.versions[2], acting_user=room.actor)
    assert not switching.switch(overtaken), "something newer is asked for"
    rounds()
    assert live_number(endpoint) == 5
    services.stop(endpoint, acting_user=room.actor)
    assert not switching.switch(overtaken)


def test_the_listener_is_told_of_a_rollback_unless_whoever_asks_makes_the_switch() -> None:
    room, endpoint = served()
    listener = hastening.Listener()
    try:
        told = listener.listen()
        services.rollback(endpoint, reason="worse", is_awaited=True, acting_user=room.actor)
        assert not list(told.notifies(timeout=0.2, stop_after=1))
        rounds()
        services.rollback(endpoint, reason="better", acting_user=room.actor)
        assert [note.payload for note in told.notifies(timeout=60, stop_after=1)] == [str(endpoint.pk)]
    finally:
        listener.close()


def test_the_reconciler_neither_counts_nor_routes_nor_stops_the_replica_of_a_drill() -> None:
    room, endpoint = served()
    version = room.versions[0]
    before = Replica.objects.filter(purpose=Replica.Purpose.SERVE).count()
    drilled = replicas.start(endpoint, version, path_of(endpoint, version), purpose=Replica.Purpose.DRILL)
    rounds(4)
    drilled.refresh_from_db()
    drilled.workload.refresh_from_db()
    assert drilled.workload.state == "running"
    assert drilled.workload.cancel_requested_at is None
    assert drilled.healthy_at is None, "whoever drills asks it"
    table = routes.published()[endpoint.path]
    targets = [*table["targets"], *(target for warm in table["warm"] for target in warm["targets"])]
    own = set(Replica.objects.filter(purpose=Replica.Purpose.SERVE).values_list("socket", flat=True))
    assert {socket for target in targets for socket in target["sockets"]} <= own
    room.host.crash(drilled)
    rounds(4)
    assert Replica.objects.filter(purpose=Replica.Purpose.SERVE).count() == before, "nothing takes its place"
    # The one that serves the same version is replaced however often a drill of it ends.
    warm = Replica.objects.get(purpose=Replica.Purpose.SERVE, model_version=version)
    room.host.crash(warm)
    rounds(4)
    assert Replica.objects.filter(purpose=Replica.Purpose.SERVE).count() == before + 1
    assert live_number(endpoint) == 2
