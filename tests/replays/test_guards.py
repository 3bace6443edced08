"""What each guard of replays and drills keeps from happening, where no other one would."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from models.endpoints.models import Endpoint
from models.registry.models import ModelVersion, RegisteredModel
from models.replays import drill_services, drilling, services, transitions
from models.replays.models import Drill
from models.replays.states import DRILL, REPLAY
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import Workload
from modelwright.core.errors import PermissionRefused, ValidationFailed
from tests.models_support import make_project
from tests.replays.conftest import Predicted, version_of
from tests.rollouts.conftest import make_member

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")


def cancelled(drill: Drill) -> bool:
    assert drill.replica is not None
    return Workload.objects.get(pk=drill.replica.workload_id).state == "cancelled"


def test_what_is_over_stays_over(endpoint: Endpoint, predicted: Predicted, ann: User) -> None:
    assert REPLAY.terminal == {"passed", "failed", "broken", "cancelled"}
    assert DRILL.terminal == {"passed", "failed"}
    predicted()
    replay = services.start_replay(endpoint, version_of(2), acting_user=Actor.person(ann))
    services.cancel(replay, acting_user=Actor.person(ann))
    assert not transitions.conclude(replay, passed=True)
    assert not transitions.run(replay)


def test_a_replica_goes_with_the_end_of_its_drill_and_not_only_with_the_next_round(endpoint: Endpoint) -> None:
    (drill,) = drill_services.start_drills(endpoint, acting_user=SYSTEM)
    assert drill_services.end(drill, passed=True, detail="It ended.", acting_user=SYSTEM)
    assert cancelled(drill)
    assert not drill_services.end(drill, passed=False, detail="Again.", acting_user=SYSTEM), "it is over"


def test_a_replica_whose_drill_was_cut_off_at_its_end_goes_with_the_next_round(endpoint: Endpoint) -> None:
    (drill,) = drill_services.start_drills(endpoint, acting_user=SYSTEM)
    Drill.objects.filter(pk=drill.pk).update(state="passed", finished_at=timezone.now())
    assert not cancelled(drill)
    drilling.tick()
    assert cancelled(drill)


def test_another_projects_version_is_neither_replayed_nor_may_everybody_replay_or_drill(
    endpoint: Endpoint, predicted: Predicted, make_user: Callable[..., User]
) -> None:
    predicted()
    other = RegisteredModel.objects.create(project=make_project("other"), name="wine")
    foreign = ModelVersion.objects.create(model=other, number=1, state="ready", source="models:/m-7")
    with pytest.raises(ValidationFailed, match="not of the endpoint's project"):
        services.start_replay(endpoint, foreign, acting_user=SYSTEM)
    viewer = make_user("eve")
    make_member(endpoint.project, "eve", "viewer")
    for start in (
        lambda: services.start_replay(endpoint, version_of(2), acting_user=Actor.person(viewer)),
        lambda: drill_services.start_drills(endpoint, acting_user=Actor.person(viewer)),
    ):
        with pytest.raises(PermissionRefused):
            start()
