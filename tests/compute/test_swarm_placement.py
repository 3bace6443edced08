"""What goes to a swarm: replicas wherever one fits, builds that are for it, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.compute import placement
from modelwright.compute.models import GIB, Host

from .support import HERE, fresh, make_host, queue

pytestmark = pytest.mark.django_db(transaction=True)


def make_swarm(**changes: float) -> Host:
    made = make_host("swarm", **changes)
    Host.objects.filter(pk=made.pk).update(backend=Host.Backend.SWARM)
    return made


def placed_on(kind: str, **changes: Any) -> str:
    workload = queue(kind=kind, **changes)
    placement.place(workload.pk)
    host = fresh(workload).host
    return host.name if host else ""


def test_replicas_go_to_the_swarm_and_other_work_to_other_hosts(host: Host) -> None:
    make_swarm(cpu=64, memory_gib=256)
    assert placed_on("replica") == "swarm"
    for kind in ("run", "inspection", "scoring", "replay", "session", "environment"):
        assert placed_on(kind, memory_bytes=GIB // 8, cpu=0.1) == HERE, kind


def test_a_replica_that_finds_no_room_in_the_swarm_goes_elsewhere(host: Host) -> None:
    make_swarm(cpu=1, memory_gib=1)
    assert placed_on("replica", cpu=2.0) == HERE


def test_where_only_a_swarm_is_a_run_waits_and_says_why() -> None:
    make_swarm()
    run = queue()
    assert placement.place(run.pk) is None
    assert "a swarm runs models alone" in fresh(run).waiting_reason


def test_a_build_for_the_swarm_is_made_there(host: Host) -> None:
    swarm = make_swarm()
    assert placed_on("environment", pinned_host=swarm) == "swarm"
