"""Which host, and why not yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from modelwright.compute import placement, selectors, services, transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.models import GIB, Host, ResourceProfile, Workload
from modelwright.core.errors import Conflict, QuotaExceeded, ValidationFailed

from .support import ACTOR, fresh, make_host, queue

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_waits_with_the_reason_while_it_does_not_fit(host: Host) -> None:
    large = queue(cpu=3.5, memory_bytes=7 * GIB)
    assert placement.place(large.pk)
    earlier = queue(cpu=2.0, memory_bytes=4 * GIB)
    later = queue(cpu=2.0, memory_bytes=4 * GIB)
    assert placement.place(earlier.pk) is None
    assert placement.place(later.pk) is None
    assert fresh(later).waiting_reason == (
        "It needs 2 CPUs and 4 GiB; host test-host has 0.5 CPUs and 1 GiB free; 1 is ahead of it."
    )
    assert end_workload(large.pk, fresh(large).fence, cause=Cause.SUCCEEDED, facts={})
    assert fresh(earlier).available_at <= timezone.now()
    assert placement.place(earlier.pk)
    assert fresh(earlier).waiting_reason == ""


def test_the_host_with_more_room_is_chosen(host: Host) -> None:
    roomy = make_host("roomy", memory_gib=16)
    workload = queue()
    placement.place(workload.pk)
    placed = fresh(workload)
    assert placed.host == roomy
    assert placed.state == "placed", "its own watcher or worker begins it"


def test_without_a_host_it_waits_and_says_so(db: None) -> None:
    workload = queue()
    assert placement.place(workload.pk) is None
    assert "no host is active" in fresh(workload).waiting_reason


def test_a_draining_host_takes_nothing_new(host: Host) -> None:
    transitions.host_state(host, to="draining")
    workload = queue()
    assert placement.place(workload.pk) is None


def test_what_no_host_could_ever_hold_is_refused_with_a_remedy(host: Host) -> None:
    with pytest.raises(QuotaExceeded, match="no host is that large") as caught:
        queue(memory_bytes=9 * GIB)
    assert "smaller profile" in caught.value.remedy
    assert not Workload.objects.exists()
    with pytest.raises(ValidationFailed):
        queue(cpu=0)


def test_who_waited_for_long_is_not_overtaken(host: Host) -> None:
    blocker = queue(cpu=3)
    placement.place(blocker.pk)
    patient = queue(cpu=2)
    small = queue(cpu=0.5)
    Workload.objects.filter(pk=patient.pk).update(queued_at=timezone.now() - timedelta(minutes=10))
    assert placement.place(small.pk) is None
    assert "waited for long" in fresh(small).waiting_reason
    Workload.objects.filter(pk=patient.pk).update(queued_at=timezone.now() - timedelta(minutes=1))
    assert placement.place(small.pk)


def test_many_at_once_never_take_more_than_there_is(host: Host) -> None:
    workloads = [queue(cpu=1.0) for _ in range(10)]

    def place(workload: Workload) -> bool:
        try:
            return placement.place(workload.pk) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        placed = list(pool.map(place, [*workloads, *workloads]))
    assert sum(placed) == 4
    assert free_room(host).cpu == 0
    fences = [fence for fence in Workload.objects.values_list("fence", flat=True) if fence]
    assert len(set(fences)) == 4


def test_a_late_transition_with_an_old_fence_does_nothing(host: Host) -> None:
    workload = queue()
    first = transitions.place(workload, host, environment=None)
    assert first is not None
    assert transitions.unplace(workload.pk, first, reason="gone")
    second = transitions.place(workload, host, environment=None)
    assert second is not None
    assert second > first
    assert not transitions.begin_start(workload.pk, first)
    assert not transitions.end(workload.pk, first, cause="lost", facts={})
    assert transitions.begin_start(workload.pk, second)
    assert not transitions.unplace(workload.pk, second, reason="too late")


def test_cancel_in_the_queue_is_at_once_and_only_once(host: Host) -> None:
    workload = queue()
    cancelled = services.request_cancel(workload, acting_user=ACTOR)
    assert (cancelled.state, cancelled.detail) == ("cancelled", "Cancelled by tests before it started.")
    with pytest.raises(Conflict, match="over already"):
        services.request_cancel(workload, acting_user=ACTOR)
    assert placement.place(workload.pk) is None


def test_three_sizes_are_there_from_the_start(db: None) -> None:
    # A test before this one may have emptied the table: migrations fill it once.
    if ResourceProfile.objects.exists():
        names = [profile.name for profile in selectors.profiles()]
        assert names == ["small", "medium", "large"]
