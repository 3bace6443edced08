"""What each guard of a rollout keeps from happening, where no other one would."""

from __future__ import annotations

from typing import Any

import pytest

from models.endpoints import services as endpoints
from models.endpoints.models import Deployment, Endpoint
from models.registry.models import ModelVersion
from models.rollouts import controller, services, transitions
from models.rollouts.deciding import Decision, decide
from models.rollouts.models import Rollout
from models.rollouts.proving import prove
from models.rollouts.services import RolloutRequest
from models.rollouts.states import ROLLOUT
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.core.errors import Conflict
from tests.rollouts.conftest import answered, fresh, newest, serve, weights
from tests.rollouts.test_in_between import rollout, step_is_over, turn  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


def test_what_is_over_stays_over(rollout: Rollout, ann: User) -> None:  # noqa: F811
    assert ROLLOUT.terminal == {"promoted", "completed", "stopped", "failed"}
    rollout = services.stop(rollout, reason="an incident", acting_user=Actor.person(ann))
    assert not transitions.run(rollout)
    assert not transitions.pause(rollout)
    assert not transitions.end(rollout, "promoted", detail="after all")
    assert fresh(rollout).state == "stopped"


def test_a_pause_between_a_look_and_the_next_step_holds(
    rollout: Rollout,  # noqa: F811
    endpoint: Endpoint,
    versions: list[ModelVersion],
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for version in versions[:2]:
        answered(newest(endpoint), version, 20)
    step_is_over(rollout)
    before = newest(endpoint)

    def then_somebody_pauses(*facts: Any) -> Decision:
        services.pause(fresh(rollout), reason="wait", acting_user=Actor.person(ann))
        return decide(*facts)

    with monkeypatch.context() as patched:
        patched.setattr(controller, "decide", then_somebody_pauses)
        controller.tick()
    assert (fresh(rollout).state, newest(endpoint)) == ("paused", before)
    services.resume(fresh(rollout), acting_user=Actor.person(ann))
    step_is_over(rollout)
    turn(rollout)
    assert weights(newest(endpoint)) == {2: ("live", 100)}


def test_what_somebody_deployed_in_between_is_neither_hurried_past_nor_rolled_back(
    rollout: Rollout,  # noqa: F811
    endpoint: Endpoint,
    versions: list[ModelVersion],
    ann: User,
) -> None:
    actor = Actor.person(ann)
    mine = endpoints.deploy(endpoint, model_version=versions[2], acting_user=actor)
    with pytest.raises(Conflict, match="cannot be hurried"):
        services.advance(fresh(rollout), reason="it is well known", acting_user=actor)
    services.stop(fresh(rollout), reason="not needed any more", acting_user=actor)
    assert newest(endpoint) == mine


def test_no_rollout_begins_while_something_else_is_on_its_way(
    endpoint: Endpoint, versions: list[ModelVersion], ann: User
) -> None:
    actor = Actor.person(ann)
    coming = endpoints.deploy(endpoint, model_version=versions[2], acting_user=actor)
    with pytest.raises(Conflict, match=f"Deployment {coming.number} is on its way"):
        services.start(endpoint, RolloutRequest(versions[1]), acting_user=actor)
    serve(coming)
    assert services.start(endpoint, RolloutRequest(versions[1]), acting_user=actor).before == coming


def test_a_smoke_test_that_ends_after_somebody_deployed_changes_nothing(
    endpoint: Endpoint, versions: list[ModelVersion], ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = Actor.person(ann)
    made = services.start(endpoint, RolloutRequest(versions[1], "blue_green"), acting_user=actor)
    serve(newest(endpoint))

    def deployed_meanwhile(one: Rollout) -> Any:
        endpoints.deploy(endpoint, model_version=versions[2], acting_user=actor)
        return prove(one)

    monkeypatch.setattr(controller, "prove", deployed_meanwhile)
    controller.prove_tick()
    assert weights(newest(endpoint)) == {3: ("live", 100)}
    assert turn(made).state == "stopped"
    assert Deployment.objects.filter(kind="rollback").count() == 0
