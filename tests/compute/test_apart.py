"""What shall not share a host: replicas of one version."""

from __future__ import annotations

import pytest

from modelwright.compute import placement
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.models import Host, Workload

from .support import fresh, make_host, queue
from .test_environment_copies import copy_on, end_build, make_environment

pytestmark = pytest.mark.django_db(transaction=True)


def hosts_of(workloads: list[Workload]) -> list[str]:
    placement.place_queue()
    return [host.name if (host := fresh(workload).host) else "" for workload in workloads]


@pytest.fixture
def three(db: None) -> list[Host]:
    return [make_host(name) for name in ("a", "b", "c")]


def test_a_group_is_spread_and_others_go_where_least_stays_free(three: list[Host]) -> None:
    assert sorted(hosts_of([queue(apart="one") for _ in range(3)])) == ["a", "b", "c"]
    assert sorted(hosts_of([queue(apart="one") for _ in range(3)])) == ["a", "b", "c"]
    others = hosts_of([queue() for _ in range(2)])
    assert others == ["a", "a"], "what belongs to no group fills a host up"


def test_a_group_whose_host_is_full_shares_another_rather_than_wait(three: list[Host]) -> None:
    for host in three[1:]:
        queue(cpu=4, pinned_host=host)
    placement.place_queue()
    assert hosts_of([queue(apart="one") for _ in range(3)]) == ["a", "a", "a"]


def test_who_ends_leaves_its_place_to_the_next(three: list[Host]) -> None:
    group = [queue(apart="one") for _ in range(3)]
    hosts_of(group)
    gone = fresh(group[1])
    assert gone.host is not None
    assert end_workload(gone.pk, gone.fence, cause=Cause.CANCELLED, facts={})
    assert hosts_of([queue(apart="one")]) == [gone.host.name]


def test_the_host_that_holds_none_makes_the_environment_first(db: None) -> None:
    here, away = make_host("here"), make_host("away")
    environment = make_environment("# nothing\n", here)
    first, second = (queue(apart="one", environment=environment) for _ in range(2))
    assert hosts_of([first, second]) == ["here", ""]
    assert "away" in fresh(second).waiting_reason
    assert hosts_of([second]) == [""], "the build is placed"
    end_build(copy_on(away))
    assert hosts_of([second]) == ["away"]
