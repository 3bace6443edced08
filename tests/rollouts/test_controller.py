"""Rollouts over real tables: steps, stops, people who come in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from models.approvals import services as approvals
from models.endpoints import services as endpoints
from models.endpoints import transitions as endpoint_transitions
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint
from models.registry.models import ModelVersion
from models.rollouts import controller, services
from models.rollouts.models import Rollout, RolloutEvent
from models.rollouts.services import RolloutRequest
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed
from modelwright.core.ids import new_id
from tests.rollouts.conftest import answered, fresh, make_member, newest, serve, weights

pytestmark = pytest.mark.django_db
STEPS = [{"weight": 10, "minutes": 1, "requests": 20}, {"weight": 50, "minutes": 1, "requests": 0}]


@pytest.fixture
def begin(endpoint: Endpoint, versions: list[ModelVersion], ann: User) -> Any:
    """Start a rollout of the second version."""

    def start(strategy: str = "canary", **facts: Any) -> Rollout:
        facts.setdefault("steps", STEPS if strategy == "canary" else None)
        request = RolloutRequest(versions[1], strategy, reason="it is better", **facts)
        return services.start(endpoint, request, acting_user=Actor.person(ann))

    return start


def turn(rollout: Rollout) -> Rollout:
    controller.tick()
    controller.prove_tick()
    return fresh(rollout)


def pass_time(rollout: Rollout, minutes: float = 2) -> None:
    """As if its step had begun so much earlier."""
    rollout = fresh(rollout)
    assert rollout.step_began_at is not None
    Rollout.objects.filter(pk=rollout.pk).update(step_began_at=rollout.step_began_at - timedelta(minutes=minutes))


def test_a_canary_goes_from_step_to_step_until_the_new_version_answers_alone(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    rollout = begin()
    first = newest(endpoint)
    assert weights(first) == {1: ("live", 90), 2: ("canary", 10)}
    assert (first.kind, first.rollout_id, first.actor_name) == ("step", rollout.pk, "rollout controller")
    assert turn(rollout).state == "pending"
    serve(first)
    assert turn(rollout).state == "running"
    answered(first, versions[0], 180)
    answered(first, versions[1], 19)
    pass_time(rollout)
    assert "1 more request." in turn(rollout).detail
    answered(first, versions[1], 1)
    rollout = turn(rollout)
    second = newest(endpoint)
    assert (rollout.step, weights(second)) == (1, {1: ("live", 50), 2: ("canary", 50)})
    assert second.evidence["candidate"]["requests"] == 20
    assert {each["outcome"] for each in second.evidence["findings"]} == {"holds"}
    serve(second)
    turn(rollout)
    pass_time(rollout)
    turn(rollout)
    last = newest(endpoint)
    assert weights(last) == {2: ("live", 100)}
    serve(last)
    rollout = turn(rollout)
    assert (rollout.state, rollout.deployment_id) == ("promoted", last.pk)
    assert [event.kind for event in rollout.events.order_by("id")] == ["started", "step", "step", "promoted"]
    told = AuditEvent.objects.filter(target_kind="rollout").order_by("id").values_list("action", flat=True)
    assert list(told) == ["rollout.started", "rollout.stepped", "rollout.stepped", "rollout.ended"]


def test_a_canary_that_fails_is_rolled_back_at_once_with_the_figures(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    rollout = begin()
    first = serve(newest(endpoint))
    turn(rollout)
    answered(first, versions[0], 180)
    answered(first, versions[1], 20, errors=12)
    rollout = turn(rollout)
    assert rollout.state == "stopped"
    assert "12 of 20 requests failed (60.0%)" in rollout.detail
    back = newest(endpoint)
    assert (back.kind, weights(back)) == ("rollback", {1: ("live", 100)})
    assert back.repeats == rollout.before
    assert (back.actor_name, back.rollout_id) == ("rollout controller", rollout.pk)
    assert back.evidence["candidate"]["errors"] == 12
    assert "12 of 20" in back.reason
    ended = AuditEvent.objects.get(action=AuditAction.ROLLOUT_ENDED)
    assert ended.after is not None
    assert ended.after["evidence"]["candidate"]["requests"] == 20
    assert ended.after["deployment"] == back.number
    # It is over: nothing more is asked for.
    turn(rollout)
    assert newest(endpoint) == back


def test_a_person_who_deploys_or_rolls_back_in_between_has_the_last_word(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion], ann: User
) -> None:
    rollout = begin()
    serve(newest(endpoint))
    turn(rollout)
    mine = endpoints.deploy(endpoint, model_version=versions[2], acting_user=Actor.person(ann))
    rollout = turn(rollout)
    assert rollout.state == "stopped"
    assert f"ann asked for deployment {mine.number}" in rollout.detail
    assert newest(endpoint) == mine


def test_a_version_that_does_not_start_ends_the_rollout_and_what_served_goes_on(begin: Any, endpoint: Endpoint) -> None:
    rollout = begin()
    first = newest(endpoint)
    assert endpoint_transitions.start(first)
    assert endpoint_transitions.fail(first, detail="There is no module named mlflow.")
    rollout = turn(rollout)
    assert (rollout.state, rollout.detail) == ("failed", "There is no module named mlflow.")
    assert newest(endpoint) == first, "what served before serves still"


def test_a_stopped_endpoint_stops_its_rollout(begin: Any, endpoint: Endpoint, ann: User) -> None:
    rollout = begin()
    serve(newest(endpoint))
    turn(rollout)
    endpoints.stop(endpoint, acting_user=Actor.person(ann))
    rollout = turn(rollout)
    endpoint.refresh_from_db()
    assert (rollout.state, endpoint.state) == ("stopped", "stopped")


def test_a_pause_keeps_weights_and_conditions_and_takes_no_time_of_the_step(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion], ann: User
) -> None:
    rollout = begin()
    first = serve(newest(endpoint))
    turn(rollout)
    services.pause(rollout, reason="lunch", acting_user=Actor.person(ann))
    pass_time(rollout, 30)
    Rollout.objects.filter(pk=rollout.pk).update(paused_at=fresh(rollout).step_began_at)
    answered(first, versions[1], 20)
    assert turn(rollout).state == "paused"
    rollout = services.resume(fresh(rollout), acting_user=Actor.person(ann))
    turn(rollout)
    assert newest(endpoint) == first, "the step begins to count anew"
    with pytest.raises(Conflict):
        services.resume(rollout, acting_user=Actor.person(ann))
    services.pause(rollout, acting_user=Actor.person(ann))
    answered(first, versions[1], 30, errors=30)
    assert turn(rollout).state == "stopped"


def test_a_person_hurries_or_stops_it_with_a_reason(begin: Any, endpoint: Endpoint, ann: User) -> None:
    actor = Actor.person(ann)
    rollout = begin()
    with pytest.raises(Conflict):
        services.advance(rollout, reason="I know it", acting_user=actor)
    serve(newest(endpoint))
    rollout = turn(rollout)
    for act in (services.advance, services.stop):
        with pytest.raises(ValidationFailed):
            act(rollout, reason=" ", acting_user=actor)
    rollout = services.advance(rollout, reason="I know it", acting_user=actor)
    assert weights(newest(endpoint))[2] == ("canary", 50)
    rollout = services.stop(fresh(rollout), reason="I was wrong", acting_user=actor)
    back = newest(endpoint)
    assert (rollout.state, back.kind, back.actor_name, weights(back)) == (
        "stopped",
        "rollback",
        "ann",
        {1: ("live", 100)},
    )
    assert "I was wrong" in back.reason
    with pytest.raises(Conflict):
        services.stop(rollout, reason="again", acting_user=actor)


def test_one_that_waits_for_its_replicas_can_be_called_off(begin: Any, endpoint: Endpoint, ann: User) -> None:
    rollout = begin()
    rollout = services.stop(rollout, reason="not now", acting_user=Actor.person(ann))
    assert (rollout.state, weights(newest(endpoint))) == ("stopped", {1: ("live", 100)})


def test_there_is_one_at_a_time_also_for_the_database(begin: Any) -> None:
    rollout = begin()
    with pytest.raises(Conflict, match="under way"):
        begin()
    twin = Rollout.objects.get(pk=rollout.pk)
    twin.pk, twin.number = new_id(), 2
    with pytest.raises(IntegrityError, match="rollout_one_at_a_time"), transaction.atomic():
        twin.save(force_insert=True)


def test_what_cannot_be_compared_is_refused(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion], ann: User
) -> None:
    actor = Actor.person(ann)
    with pytest.raises(Conflict, match="part of deployment 1 already"):
        services.start(endpoint, RolloutRequest(versions[0]), acting_user=actor)
    with pytest.raises(ValidationFailed, match="strategy"):
        begin("slowly")
    with pytest.raises(ValidationFailed, match="unit"):
        begin("ab")
    with pytest.raises(ValidationFailed, match="no column"):
        begin("ab", assign={"by": "column", "name": "nothing"})
    other = endpoints.create_endpoint(project=endpoint.project, name="empty", acting_user=actor)
    with pytest.raises(Conflict, match="serves nothing"):
        services.start(other, RolloutRequest(versions[1]), acting_user=actor)
    assert not Rollout.objects.exists()


def test_what_is_not_approved_for_the_endpoints_stage_is_refused_before_anything_starts(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion], ann: User, make_user: Any
) -> None:
    make_user("bob")
    make_member(endpoint.project, "bob", "contributor")
    for kind in ("tests", "replay", "card"):
        approvals.record_check(versions[0], kind, "passed", acting_user=Actor.system("tests"))
    wanted = approvals.request_promotion(versions[0], stage="production", acting_user=Actor.person(ann))
    approvals.approve(wanted, acting_user=Actor.person(User.objects.get(username="bob")))
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    before = newest(endpoint)
    for strategy in ("canary", "blue_green"):
        with pytest.raises(Conflict, match="wine version 2 is not approved for production"):
            begin(strategy)
    assert (newest(endpoint), Rollout.objects.exists()) == (before, False)
    # A shadow's answers reach nobody.
    assert begin("shadow").state == "pending"


def test_operators_may_stop_and_not_start(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion], make_user: Any
) -> None:
    bob = Actor.person(make_user("bob"))
    make_member(endpoint.project, "bob", "operator")
    with pytest.raises(PermissionRefused):
        services.start(endpoint, RolloutRequest(versions[1]), acting_user=bob)
    rollout = begin()
    with pytest.raises(PermissionRefused):
        services.pause(rollout, acting_user=bob)
    serve(newest(endpoint))
    rollout = services.stop(turn(rollout), reason="alarm", acting_user=bob)
    assert (rollout.state, newest(endpoint).actor_name) == ("stopped", "bob")


def test_a_shadow_ends_by_itself_and_changes_nothing(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    rollout = begin("shadow", steps=[{"weight": 0, "minutes": 1, "requests": 5}])
    first = serve(newest(endpoint))
    assert weights(first) == {1: ("live", 100), 2: ("shadow", 0)}
    turn(rollout)
    answered(first, versions[0], 10)
    answered(first, versions[1], 10, role="shadow")
    pass_time(rollout)
    turn(rollout)
    assert weights(newest(endpoint)) == {1: ("live", 100)}
    serve(newest(endpoint))
    assert turn(rollout).state == "completed"


def test_an_ab_test_assigns_units_and_ends_without_a_winner(begin: Any, endpoint: Endpoint) -> None:
    assign = {"by": "header", "name": "x-user-id", "salt": "a"}
    rollout = begin("ab", steps=[{"weight": 50, "minutes": 1}], assign=assign)
    first = serve(newest(endpoint))
    assert first.routing["assign"] == assign
    turn(rollout)
    pass_time(rollout)
    turn(rollout)
    after = serve(newest(endpoint))
    assert (weights(after), after.routing) == ({1: ("live", 100)}, {})
    assert turn(rollout).state == "completed"


def test_blue_green_without_a_replica_that_answers_never_gets_a_request(begin: Any, endpoint: Endpoint) -> None:
    rollout = begin("blue_green")
    first = serve(newest(endpoint))
    assert weights(first) == {1: ("live", 100), 2: ("node", 0)}
    rollout = turn(rollout)
    assert rollout.state == "failed"
    assert "None of its replicas answers" in rollout.detail
    assert weights(newest(endpoint)) == {1: ("live", 100)}
    assert RolloutEvent.objects.filter(rollout=rollout, kind="smoke-tested").exists()


def test_what_the_base_answered_before_counts_where_the_step_leaves_it_too_little(
    begin: Any, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    answered(newest(endpoint), versions[0], 200, latency_ms=4)
    rollout = begin(steps=[{"weight": 100, "minutes": 1}])
    first = serve(newest(endpoint))
    turn(rollout)
    answered(first, versions[1], 60, latency_ms=300)
    rollout = turn(rollout)
    assert rollout.state == "stopped"
    assert "took longer" in rollout.detail
    assert rollout.evidence["base"]["requests"] == 200
