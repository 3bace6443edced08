"""What comes between a look and what follows from it: people, other records, a cut."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from models.endpoints import services as endpoints
from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, Endpoint, EndpointKey
from models.endpoints.selectors import default_rollback
from models.endpoints.viewing import views
from models.predictions.models import SpoolState
from models.registry.models import ModelVersion
from models.rollouts import controller, figures, progress, services
from models.rollouts.models import Rollout
from models.rollouts.proving import Proof
from models.rollouts.services import RolloutRequest
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from tests.rollouts.conftest import answered, fresh, newest, serve, weights

pytestmark = pytest.mark.django_db
STEPS = [{"weight": 50, "minutes": 1, "requests": 20}]


@pytest.fixture
def rollout(endpoint: Endpoint, versions: list[ModelVersion], ann: User) -> Rollout:
    """A canary whose only step serves."""
    made = services.start(endpoint, RolloutRequest(versions[1], steps=STEPS), acting_user=Actor.person(ann))
    serve(newest(endpoint))
    return turn(made)


def turn(rollout: Rollout) -> Rollout:
    controller.tick()
    controller.prove_tick()
    return fresh(rollout)


def step_is_over(rollout: Rollout) -> None:
    Rollout.objects.filter(pk=rollout.pk).update(step_began_at=timezone.now() - timedelta(minutes=5))


@pytest.mark.parametrize("passed", [True, False])
def test_an_endpoint_that_was_stopped_during_a_smoke_test_stays_stopped(
    endpoint: Endpoint, versions: list[ModelVersion], ann: User, monkeypatch: pytest.MonkeyPatch, passed: bool
) -> None:
    rollout = services.start(endpoint, RolloutRequest(versions[1], "blue_green"), acting_user=Actor.person(ann))
    serve(newest(endpoint))

    def stopped_meanwhile(_: Rollout) -> Proof:
        endpoints.stop(endpoint, reason="an incident", acting_user=Actor.person(ann))
        return Proof(passed, "asked", [])

    monkeypatch.setattr(controller, "prove", stopped_meanwhile)
    asked = Deployment.objects.count()
    turn(rollout)
    rollout = turn(rollout)
    endpoint.refresh_from_db()
    assert (endpoint.state, rollout.state) == ("stopped", "stopped")
    assert Deployment.objects.count() == asked


def test_a_rollout_of_a_stopped_endpoint_is_ended_without_starting_it(
    rollout: Rollout, endpoint: Endpoint, ann: User
) -> None:
    endpoints.stop(endpoint, acting_user=Actor.person(ann))
    services.stop(fresh(rollout), reason="not needed", acting_user=Actor.person(ann))
    endpoint.refresh_from_db()
    assert (endpoint.state, fresh(rollout).state) == ("stopped", "stopped")


def test_going_back_after_a_stopped_rollout_is_to_what_answered_otherwise(
    endpoint: Endpoint, versions: list[ModelVersion], ann: User
) -> None:
    actor = Actor.person(ann)
    serve(endpoints.deploy(endpoint, model_version=versions[1], acting_user=actor))
    rollout = services.start(endpoint, RolloutRequest(versions[2], steps=STEPS), acting_user=actor)
    serve(newest(endpoint))
    services.stop(turn(rollout), reason="it looks odd", acting_user=actor)
    back = serve(newest(endpoint))
    assert weights(back) == {2: ("live", 100)}
    to = default_rollback(endpoint)
    assert to is not None
    assert weights(to) == {1: ("live", 100)}
    # The version that was refused is not what stays warm beside it.
    (view,) = views([endpoint.pk])
    assert view.plan.wanted == (versions[1].pk, versions[0].pk)


def test_pins_to_the_version_that_goes_do_not_keep_the_new_one_from_answering(
    endpoint: Endpoint, versions: list[ModelVersion], ann: User
) -> None:
    actor = Actor.person(ann)
    key, _ = endpoints.create_key(endpoint, name="partner", acting_user=actor)
    revoked, _ = endpoints.create_key(endpoint, name="gone", acting_user=actor)
    pins = {str(key.pk): str(versions[0].pk), str(revoked.pk): str(versions[0].pk)}
    request = TargetRequest(versions[0], 100, "live")
    made = endpoints.request_deployment(
        endpoint, targets=[request], routing={"pins": {"keys": pins}}, acting_user=actor
    )
    serve(made)
    rollout = services.start(endpoint, RolloutRequest(versions[1], steps=STEPS), acting_user=actor)
    step = serve(newest(endpoint))
    rollout = turn(rollout)
    EndpointKey.objects.filter(pk=revoked.pk).update(revoked_at=timezone.now())
    answered(step, versions[1], 20)
    answered(step, versions[0], 20)
    step_is_over(rollout)
    rollout = turn(rollout)
    assert rollout.state == "running", rollout.detail
    assert weights(newest(endpoint)) == {2: ("live", 100)}
    assert newest(endpoint).routing == {"pins": {"keys": {}}}


def test_a_shipper_that_says_nothing_keeps_a_step_from_ending(
    rollout: Rollout, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    answered(newest(endpoint), versions[1], 20)
    step_is_over(rollout)
    state = SpoolState.objects.create(host="here", seen_at=timezone.now() - timedelta(minutes=5), waiting_bytes=1)
    rollout = turn(rollout)
    assert "on record, which is late" in rollout.detail
    assert rollout.step == 0
    SpoolState.objects.filter(pk=state.pk).update(seen_at=timezone.now(), waiting_bytes=0)
    assert turn(rollout).step == 1


def test_what_was_found_broken_stops_the_rollout_even_if_it_was_cut_off_before(
    rollout: Rollout, endpoint: Endpoint, versions: list[ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(newest(endpoint), versions[1], 40, errors=40)

    def cut_off(*_: Any) -> Any:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(progress, "held", cut_off)
        turn(rollout)
    assert fresh(rollout).looked_at == 40
    step_is_over(rollout)
    assert turn(rollout).state == "stopped"


def test_a_smoke_test_holds_up_no_other_rollout(
    endpoint: Endpoint, versions: list[ModelVersion], ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.start(endpoint, RolloutRequest(versions[1], "blue_green"), acting_user=Actor.person(ann))
    serve(newest(endpoint))

    def never(_: Rollout) -> Proof:
        pytest.fail("The loop that stops rollouts asked a replica.")

    monkeypatch.setattr(controller, "prove", never)
    controller.tick()


def test_answers_that_take_too_long_to_count_are_not_counted(
    rollout: Rollout, endpoint: Endpoint, versions: list[ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = newest(endpoint)
    answered(step, versions[1], 5, outputs=("one", "two"))
    assert figures.answers(versions[1].pk, [step.pk]) == {"one": 3, "two": 2}
    monkeypatch.setattr(figures, "_ANSWERS", "SELECT pg_sleep(5)::text, %(most)s")
    monkeypatch.setattr(figures, "LONGEST_MS", 50)
    assert figures.answers(versions[1].pk, [step.pk]) == {}
    # The rest of the transaction has its own patience again.
    assert Rollout.objects.filter(pk=rollout.pk).exists()


def test_a_person_who_stops_what_was_overtaken_is_on_record_with_their_reason(
    rollout: Rollout, endpoint: Endpoint, versions: list[ModelVersion], ann: User
) -> None:
    endpoints.deploy(endpoint, model_version=versions[2], acting_user=Actor.person(ann))
    services.stop(fresh(rollout), reason="not needed any more", acting_user=Actor.person(ann))
    event = AuditEvent.objects.get(action=AuditAction.ROLLOUT_ENDED)
    assert (event.actor_name, event.reason, event.actor_role) == ("ann", "not needed any more", "project admin")


def test_the_way_back_is_found_behind_many_deployments_that_answer_the_same(
    endpoint: Endpoint, versions: list[ModelVersion], ann: User
) -> None:
    actor = Actor.person(ann)
    first = newest(endpoint)
    for _ in range(9):
        serve(endpoints.deploy(endpoint, model_version=versions[1], acting_user=actor))
    assert default_rollback(endpoint) == first
