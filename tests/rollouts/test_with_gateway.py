"""Rollouts of real models through a real gateway under load: each strategy, and a canary that errs or is slow."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from models.endpoints import selectors
from models.endpoints import services as endpoints
from models.endpoints.models import Deployment, Endpoint
from models.predictions.models import Prediction
from models.predictions.shipping import ship_once
from models.registry.models import ModelVersion
from models.rollouts import controller, services
from models.rollouts.models import Rollout, RolloutEvent
from models.rollouts.services import RolloutRequest
from models.rollouts.states import OPEN
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.backends.factory import LocalBackend
from projects.models import Project
from tests.endpoints.test_reconciler import settle
from tests.gateway.processes import RECORD, Gateway
from tests.models_support import ready_version, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]
ERRS, SLEEPS = {**RECORD, "alcohol": -1}, {**RECORD, "alcohol": -2}
STRICT = {"min_requests": 20, "max_p99_ratio": 2, "max_error_rate": 0.05}
Answer = tuple[int, int, str]


class Clients:
    """Ask without pause, each for users of its own, until the block ends. Some of what they ask is `odd`."""

    def __init__(self, gateway: Gateway, key: str, odd: dict[str, Any] | None = None, threads: int = 6) -> None:
        self.answers: list[Answer] = []
        self.failures: list[tuple[int, str]] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(gateway, key, odd, number)) for number in range(threads)
        ]

    def _run(self, gateway: Gateway, key: str, odd: dict[str, Any] | None, number: int) -> None:
        for count in itertools.count():
            if self._stop.is_set():
                return
            user = f"user-{number}-{count % 5}"
            record = odd if odd is not None and count % 2 else RECORD
            answer = gateway.predict(record, key=key, headers={"x-user-id": user})
            if answer.status_code == 200:
                content = answer.json()
                self.answers.append((content["deployment"], content["version"], user))
            else:
                self.failures.append((answer.status_code, answer.text))
            time.sleep(0.01)

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Room:
    """An endpoint with its gateway, and everything that comes round."""

    def __init__(self, endpoint: Endpoint, ann: User, gateway: Gateway, turn: Callable[[], bool]) -> None:
        self.endpoint, self.actor, self.gateway = endpoint, Actor.person(ann), gateway
        self._turn = turn
        _, self.key = endpoints.create_key(endpoint, name="clients", acting_user=self.actor)

    def turn(self) -> bool:
        self._turn()
        ship_once(self.gateway.spool)
        controller.tick()
        controller.prove_tick()
        return True

    def serve(self, version: ModelVersion) -> None:
        made = endpoints.deploy(self.endpoint, model_version=version, reason="base", acting_user=self.actor)
        assert settle(made, self._turn) == "live"

    def start(self, version: ModelVersion, strategy: str, *steps: dict[str, Any], **facts: Any) -> Rollout:
        request = RolloutRequest(version, strategy, steps=steps, reason="it is better", **facts)
        return services.start(self.endpoint, request, acting_user=self.actor)

    def finish(self, rollout: Rollout) -> Rollout:
        """Turn until it is over and what it asked for last serves."""

        def over() -> bool:
            self.turn()
            rollout.refresh_from_db()
            return rollout.state not in OPEN and selectors.under_way(self.endpoint) is None

        wait_for(over, seconds=240)
        return rollout

    def live(self) -> set[int]:
        live = selectors.live_deployment(self.endpoint)
        assert live is not None
        return {each.model_version.number for each in live.targets.all()}

    @contextmanager
    def clients(self, odd: dict[str, Any] | None = None, threads: int = 6) -> Iterator[Clients]:
        with Clients(self.gateway, self.key, odd, threads) as found:
            yield found


@pytest.fixture
def room(project: Project, ann: User, gateway: Gateway, turn: Callable[[], bool], backend: LocalBackend) -> Room:
    """An endpoint that serves version 1, the model `one`."""
    endpoint = endpoints.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    made = Room(endpoint, ann, gateway, turn)
    made.serve(ready_version(project, "one", number=1))
    return made


def numbers(rollout: Rollout) -> list[int]:
    return list(Deployment.objects.filter(rollout_id=rollout.pk).order_by("number").values_list("number", flat=True))


def test_blue_green_shadow_and_a_b_move_requests_as_they_say_and_none_fails(room: Room, project: Project) -> None:
    second = ready_version(project, "two", number=2)
    with room.clients() as clients:
        wait_for(lambda: len(clients.answers) > 30)
        _blue_green(room, second, clients)
        first = selectors.versions_ready(project).get(number=1)
        _shadow(room, first, clients)
        _a_b(room, first, clients)
    assert clients.failures == []


def _blue_green(room: Room, second: ModelVersion, clients: Clients) -> None:
    ship_once(room.gateway.spool)
    rollout = room.finish(room.start(second, "blue_green", {"weight": 100, "requests": 20}))
    assert rollout.state == "promoted", rollout.detail
    smoke = rollout.events.get(kind=RolloutEvent.Kind.SMOKE_TESTED)
    assert smoke.evidence["smoke"]["passed"]
    assert smoke.evidence["smoke"]["asked"] > 1, "its example, and what clients asked lately"
    standby, *moved = numbers(rollout)
    assert {version for number, version, _ in clients.answers if number <= standby} == {1}
    assert {version for number, version, _ in clients.answers if number in moved} == {2}
    assert room.live() == {2}


def _shadow(room: Room, first: ModelVersion, clients: Clients) -> None:
    before = len(clients.answers)
    rollout = room.finish(room.start(first, "shadow", {"weight": 0, "requests": 30}))
    assert rollout.state == "completed", rollout.detail
    assert {version for _, version, _ in clients.answers[before:]} == {2}, "no client meets a shadow"
    shadows = Prediction.objects.filter(role="shadow", model_version_id=first.pk, status=200)
    assert shadows.count() >= 30
    answered = Prediction.objects.filter(pk__in=shadows.values("shadow_of"), role="live")
    assert answered.count() >= 30
    assert room.live() == {2}


def _a_b(room: Room, first: ModelVersion, clients: Clients) -> None:
    assign = {"by": "header", "name": "x-user-id", "salt": "s"}
    rollout = room.finish(room.start(first, "ab", {"weight": 50, "requests": 40}, assign=assign))
    assert rollout.state == "completed", rollout.detail
    shared, *_ = numbers(rollout)
    met: dict[str, set[int]] = {}
    for number, version, user in clients.answers:
        if number == shared:
            met.setdefault(user, set()).add(version)
    assert all(len(versions) == 1 for versions in met.values()), "a unit always meets the same version"
    assert set.union(*met.values()) == {1, 2}
    step = Deployment.objects.get(endpoint=room.endpoint, number=shared)
    assert Prediction.objects.filter(deployment_id=step.pk).exclude(assignment=None).count() > 40
    assert room.live() == {2}


def test_a_version_that_fails_its_smoke_test_is_met_by_nobody(room: Room, project: Project) -> None:
    moody = ready_version(project, "moody", number=2)
    # The base takes what the new version cannot take.
    with room.clients(odd=ERRS) as clients:
        wait_for(lambda: len(clients.answers) > 30)
        ship_once(room.gateway.spool)
        rollout = room.finish(room.start(moody, "blue_green", {"weight": 100, "requests": 20}))
    assert rollout.state == "failed"
    assert "Smoke test" in rollout.detail
    assert clients.failures == []
    assert {version for _, version, _ in clients.answers} == {1}
    assert room.live() == {1}


def test_a_canary_is_stopped_by_its_errors_and_then_one_by_its_latency(room: Room, project: Project) -> None:
    moody = ready_version(project, "moody", number=2)
    steps = ({"weight": 50, "requests": 5000},)
    with room.clients(odd=ERRS) as clients:
        rollout = room.finish(room.start(moody, "canary", *steps, conditions=STRICT))
        failed = len(clients.failures)
        wait_for(lambda: room.turn() and len(clients.answers) > 200)
        assert len(clients.failures) <= failed + 6, "nothing fails once it is stopped, but for what was on its way"
    assert rollout.state == "stopped"
    assert "failed" in rollout.detail
    assert {status for status, _ in clients.failures} == {502}
    assert rollout.evidence["candidate"]["errors"] >= 1
    back = selectors.live_deployment(room.endpoint)
    assert back is not None
    assert (back.kind, back.repeats_id, room.live()) == ("rollback", rollout.before_id, {1})
    with room.clients(odd=SLEEPS, threads=24) as clients:
        rollout = room.finish(room.start(moody, "canary", *steps, conditions=STRICT))
    assert rollout.state == "stopped"
    assert "longer" in rollout.detail or "99th" in rollout.detail, rollout.detail
    assert clients.failures == []
    assert room.live() == {1}
