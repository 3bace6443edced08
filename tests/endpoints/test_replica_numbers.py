"""Several real replicas of a version under load: some are killed, more are wanted, fewer are wanted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from models.availability.models import AvailabilityMinute, Load
from models.availability.scaler import Scaler
from models.endpoints import selectors, services
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint, Replica
from models.endpoints.probing import ping
from models.predictions.shipping import ship_once
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from projects.models import Project
from tests.endpoints.test_reconciler import Load as Asking
from tests.endpoints.test_reconciler import deploy, settle
from tests.gateway.processes import Gateway
from tests.models_support import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
Turn = Callable[[], bool]


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    made = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    return change_endpoint(made, min_replicas=2, max_replicas=2, acting_user=Actor.person(ann))


def answering(endpoint: Endpoint) -> set[Replica]:
    """The replicas that answer and are to stay."""
    found = selectors.replicas_of(endpoint).filter(workload__cancel_requested_at=None)
    return {replica for replica in found if replica.healthy_at is not None}


def test_replicas_are_replaced_added_and_taken_away_without_a_failed_request(
    endpoint: Endpoint, ann: User, turn: Turn, gateway: Gateway
) -> None:
    actor = Actor.person(ann)
    _, key = services.create_key(endpoint, name="load", acting_user=actor)
    assert settle(deploy(endpoint, ann, "one", 1), turn) == "live"
    first = answering(endpoint)
    assert len(first) == 2, "it is live once all that are needed answer"
    victim = min(first, key=lambda replica: replica.pk)
    with Asking(gateway, key) as load:
        pong = ping(victim.socket)
        assert pong is not None
        os.kill(pong["pid"], signal.SIGKILL)
        wait_for(lambda: turn() and victim not in answering(endpoint))
        wait_for(lambda: turn() and len(answering(endpoint)) == 2)
        change_endpoint(endpoint, min_replicas=1, max_replicas=1, acting_user=actor)
        wait_for(lambda: turn() and len(answering(endpoint)) == 1)
        # More are wanted by load: one replica is meant for less than what is under way.
        change_endpoint(endpoint, max_replicas=2, target_concurrency=0.2, acting_user=actor)
        scaler = Scaler(interval=0.3, patience=1.0)

        def follows(count: int) -> bool:
            scaler.tick()
            time.sleep(0.1)
            return turn() and len(answering(endpoint)) == count

        wait_for(lambda: follows(2))
        asked = len(load.answers)
        wait_for(lambda: len(load.answers) > asked + 20)
    assert load.failures == []
    # Without load one is enough after a while.
    wait_for(lambda: follows(1))
    assert Load.objects.get().concurrency < 0.2
    up, down = AuditEvent.objects.filter(action="endpoint.scaled").order_by("id")
    assert (up.before, down.before) == ({"replicas": 1}, {"replicas": 2})
    assert up.after is not None
    assert up.after["concurrency"] > 0.2
    assert up.actor_name == "replica scaler"

    # And all of it is on record, in whatever minutes.
    gateway.stop(signal.SIGTERM)
    while ship_once(gateway.spool):
        pass
    counted = list(AvailabilityMinute.objects.values_list("answered", "refused", "failed"))
    assert sum(answered for answered, _, _ in counted) > asked + 20
    assert all((refused, failed) == (0, 0) for _, refused, failed in counted)
