"""How many replicas are needed, which are asked, and which are too many: plain facts, no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from models.endpoints.models import Endpoint, Replica
from models.endpoints.paths import ORIGINAL, chosen
from models.endpoints.sizing import are_enough, in_order, needed_replicas, too_many, wanted_replicas
from modelwright.compute.models import Workload

NOW = datetime(2026, 11, 1, tzinfo=UTC)
A, B = uuid4(), uuid4()


@dataclass
class Target:
    model_version_id: UUID
    weight: int = 100
    role: str = "live"


@dataclass
class Deployed:
    """A deployment as far as sizes need it."""

    found: list[Target]
    live_at: datetime | None = NOW - timedelta(days=1)
    ended_at: datetime | None = None
    targets: Any = field(init=False)

    def __post_init__(self) -> None:
        self.targets = self

    def all(self) -> list[Target]:
        return self.found


def endpoint(fewest: int = 1, most: int = 1, wanted: int = 1) -> Endpoint:
    return Endpoint(min_replicas=fewest, max_replicas=most, wanted_replicas=wanted)


def needed(of: Endpoint, version: UUID, serving: list[Deployed], earlier: list[Deployed] | None = None) -> int:
    return needed_replicas(of, version, serving=serving, earlier=earlier or [], now=NOW)  # type: ignore[arg-type]


def replica(host: int = 1, *, healthy: bool = True, path: str = ORIGINAL, leaving: bool = False) -> Replica:
    workload = Workload(host_id=UUID(int=host), state="running", cancel_requested_at=NOW if leaving else None)
    return Replica(workload=workload, healthy_at=NOW if healthy else None, served_by=path)


def test_what_is_wanted_stays_within_the_bounds() -> None:
    assert wanted_replicas(endpoint(2, 5, 1)) == 2
    assert wanted_replicas(endpoint(2, 5, 9)) == 5
    assert wanted_replicas(endpoint(2, 5, 3)) == 3
    assert wanted_replicas(endpoint(0, 0, 0)) == 1


def test_what_takes_requests_needs_all_and_a_shadow_needs_one() -> None:
    of = endpoint(1, 4, 3)
    both = Deployed([Target(A, 95), Target(B, 5, "canary")])
    assert needed(of, A, [both]) == needed(of, B, [both]) == 3
    assert needed(of, B, [Deployed([Target(A), Target(B, 0, "shadow")])]) == 1
    assert needed(of, B, [Deployed([Target(A, 0, "node"), Target(B, 0, "node")])]) == 3
    assert needed(endpoint(2, 4, 4), B, [Deployed([Target(A), Target(B, 0, "fallback")])]) == 2


def test_what_served_until_a_moment_ago_stays_as_large_as_it_was() -> None:
    of, live = endpoint(1, 4, 4), Deployed([Target(A)])
    assert needed(of, B, [live], [Deployed([Target(B)], ended_at=NOW - timedelta(minutes=5))]) == 4
    assert needed(of, B, [live], [Deployed([Target(B)], ended_at=NOW - timedelta(hours=2))]) == 1


def test_those_on_as_many_hosts_as_there_are_stay_the_oldest_first() -> None:
    first, second, third, other = replica(1), replica(1), replica(1), replica(2)
    assert in_order([third, other, second, first]) == [first, other, second, third]
    assert too_many([first, second, third, other], 2) == [second, third]
    starting = replica(3, healthy=False)
    assert too_many([starting, first], 1) == [starting], "what answers goes before what does not yet"
    assert too_many([replica(leaving=True), first], 1) == [], "what ends already is not ended again"


def test_those_that_are_asked_are_never_too_many() -> None:
    running = [replica(host) for host in (1, 1, 2, 2, 3)]
    for count in range(1, 6):
        asked = chosen(running, ORIGINAL, count)
        assert len(asked) == count
        assert not set(asked) & set(too_many(running, count))


def test_another_path_takes_over_when_it_is_as_strong() -> None:
    old = [replica() for _ in range(3)]
    new = [replica(path="onnx:1") for _ in range(2)]
    assert chosen([*old, *new], "onnx:1", 3) == old
    new.append(replica(path="onnx:1"))
    assert chosen([*old, *new], "onnx:1", 3) == new
    assert chosen([*old[:1], *new[:1]], "onnx:1", 3) == new[:1]


def test_nobody_waits_for_a_replica_that_no_host_has_room_for() -> None:
    queued = Replica(workload=Workload(state="queued", waiting_reason="No host has room."))
    assert not are_enough([replica(), replica(healthy=False)], 1, 2)
    assert are_enough([replica(), queued], 1, 2)
    assert not are_enough([queued], 0, 1), "one at least must answer"
