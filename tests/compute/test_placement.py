"""Which host, and why not yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from modelwright.compute import placement, rounds, selectors, services, transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.gpus import Gpu
from modelwright.compute.models import GIB, Host, ResourceProfile, Workload
from modelwright.compute.rooms import free_room, gpu_holders
from modelwright.compute.states import LIVE_ON_HOST
from modelwright.core.errors import Conflict, QuotaExceeded, ValidationFailed
from modelwright.core.ids import new_id

from .backends_support import wait_until
from .support import ACTOR, fresh, make_host, queue

pytestmark = pytest.mark.django_db(transaction=True)
H100: dict[str, Any] = {"name": "NVIDIA H100 80GB HBM3", "memory_bytes": 80 * GIB}


def gpu_host(name: str, gpus: int = 2, *, cpu: float = 4, memory_gib: float = 8, **labels: str) -> Host:
    return services.announce_host(
        name=name,
        cpu=cpu,
        memory_bytes=int(memory_gib * GIB),
        gpus=[Gpu(index, uuid=f"GPU-{name}-{index}", **H100) for index in range(gpus)],
        labels=labels,
        acting_user=ACTOR,
    )


def at_once(steps: list[Callable[[], object]]) -> None:
    """Runs the steps in five threads, each with connections of its own."""

    def run(step: Callable[[], object]) -> None:
        try:
            step()
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(run, steps))


def place_all() -> dict[str, str]:
    """One round; the host of each live workload by its name."""
    placement.place_queue()
    live = Workload.objects.filter(state__in=LIVE_ON_HOST)
    return {workload.name: workload.host.name for workload in live.select_related("host") if workload.host}


def test_it_waits_with_the_reason_while_it_does_not_fit(host: Host) -> None:
    large = queue(cpu=3.5, memory_bytes=7 * GIB)
    assert placement.place(large.pk)
    earlier = queue(cpu=2.0, memory_bytes=4 * GIB)
    later = queue(cpu=2.0, memory_bytes=4 * GIB)
    assert placement.place(earlier.pk) is None
    assert placement.place(later.pk) is None
    assert fresh(later).waiting_reason == (
        "It needs 2 CPUs and 4 GiB; host test-host has 0.5 CPUs and 1 GiB free; 1 is ahead of it. "
        "Nobody can know how long it waits: what runs there has no time limit."
    )
    assert end_workload(large.pk, fresh(large).fence, cause=Cause.CANCELLED, facts={})
    assert fresh(earlier).available_at <= timezone.now()
    assert placement.place(earlier.pk)
    assert fresh(earlier).waiting_reason == ""


def test_the_host_on_which_least_stays_free_is_chosen(host: Host) -> None:
    make_host("roomy", memory_gib=16)
    make_host("snug", cpu=1, memory_gib=1)
    workload = queue()
    placement.place(workload.pk)
    placed = fresh(workload)
    assert placed.host is not None
    assert placed.host.name == "snug"
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

    at_once([partial(placement.place, each.pk) for each in [*workloads, *workloads]])
    assert Workload.objects.filter(state__in=LIVE_ON_HOST).count() == 4
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


def test_gpus_are_reserved_by_index_and_free_again_at_the_end(db: None) -> None:
    host = gpu_host("h", 3)
    first, second, third = queue(gpus=1), queue(gpus=2), queue(gpus=1)
    placement.place_queue()
    assert [fresh(each).gpu_indexes for each in (first, second, third)] == [[0], [1, 2], []]
    assert "0 GPUs free" in fresh(third).waiting_reason
    assert free_room(host).gpus == ()
    assert {index: holder.pk for index, holder in gpu_holders(host).items()} == {
        0: first.pk,
        1: second.pk,
        2: second.pk,
    }
    end_workload(second.pk, fresh(second).fence, cause=Cause.CANCELLED, facts={})
    placement.place_queue()
    assert fresh(third).gpu_indexes == [1]


def test_many_at_once_never_get_the_same_gpu(db: None) -> None:
    hosts = [gpu_host("a", 2, cpu=16, memory_gib=64), gpu_host("b", 3, cpu=16, memory_gib=64)]
    workloads = [queue(gpus=1, cpu=0.5) for _ in range(12)]
    at_once([partial(placement.place, each.pk) for each in workloads])
    live = Workload.objects.filter(state__in=LIVE_ON_HOST)
    given = [(workload.host_id, index) for workload in live for index in workload.gpu_indexes]
    assert sorted(given) == sorted((host.pk, gpu["index"]) for host in hosts for gpu in host.gpus)


def test_what_was_unplaced_gives_its_gpus_back(db: None) -> None:
    host, workload = gpu_host("h", 1), queue(gpus=1)
    placement.place(workload.pk)
    assert transitions.unplace(workload.pk, fresh(workload).fence or 0, reason="gone")
    assert fresh(workload).gpu_indexes == []
    assert free_room(host).gpus == (0,)


@pytest.mark.parametrize("trouble", [{"mig": True, "problem": "MIG is on."}, {"problem": "It does not answer."}])
def test_a_gpu_that_cannot_be_used_is_given_to_nobody(db: None, trouble: dict[str, Any]) -> None:
    workload = queue(gpus=1)
    services.announce_host(name="h", cpu=4, memory_bytes=8 * GIB, gpus=[Gpu(0, **trouble), Gpu(1)], acting_user=ACTOR)
    placement.place(workload.pk)
    assert fresh(workload).gpu_indexes == [1]
    with pytest.raises(QuotaExceeded, match="2 GPUs, and no host is that large"):
        queue(gpus=2)


def test_hosts_with_gpus_stay_for_who_needs_them_while_others_fit(host: Host) -> None:
    gpu_host("g")
    names = [queue(name=f"cpu {number}", cpu=2.0).name for number in range(3)] + [queue(name="gpu", gpus=1).name]
    assert place_all() == {names[0]: "test-host", names[1]: "test-host", names[2]: "g", "gpu": "g"}


def test_only_a_host_with_all_labels_is_good_enough(host: Host) -> None:
    gpu_host("g", gpu="h100", zone="a")
    workload = queue(labels={"gpu": "h100", "zone": "a"}, name="labelled")
    gpu_host("g", gpu="h100", zone="b")
    assert place_all() == {}
    assert fresh(workload).waiting_reason == (
        "It needs a host with the labels gpu=h100 and zone=a, and no active host has that."
    )
    gpu_host("g", gpu="h100", zone="a", disk="ssd")
    assert place_all() == {"labelled": "g"}
    with pytest.raises(QuotaExceeded, match="the label zone=z, and there is none"):
        queue(labels={"zone": "z"})


def test_what_is_pinned_to_a_host_goes_there_or_waits(host: Host) -> None:
    roomy = make_host("roomy", memory_gib=64)
    pinned = queue(pinned_host=roomy, name="pinned")
    transitions.host_state(roomy, to="draining")
    assert place_all() == {}
    assert "The host that it must run on is not active" in fresh(pinned).waiting_reason
    transitions.host_state(roomy, to="active")
    assert place_all() == {"pinned": "roomy"}


def test_whoever_uses_least_comes_first(host: Host) -> None:
    busy, idle = new_id(), new_id()
    for number in range(4):
        queue(name=f"busy {number}", workspace_id=busy)
    assert len(place_all()) == 4
    for number in range(4, 8):
        queue(name=f"busy {number}", workspace_id=busy)
    queue(name="idle 0", workspace_id=idle)
    queue(name="idle 1", workspace_id=idle)
    ended = Workload.objects.get(name="busy 0")
    end_workload(ended.pk, ended.fence, cause=Cause.CANCELLED, facts={})
    assert set(place_all()) == {"busy 1", "busy 2", "busy 3", "idle 0"}
    ended = Workload.objects.get(name="busy 1")
    end_workload(ended.pk, ended.fence, cause=Cause.CANCELLED, facts={})
    assert set(place_all()) == {"busy 2", "busy 3", "idle 0", "idle 1"}
    ended = Workload.objects.get(name="busy 2")
    end_workload(ended.pk, ended.fence, cause=Cause.CANCELLED, facts={})
    assert set(place_all()) == {"busy 3", "idle 0", "idle 1", "busy 4"}, "all have the same, and it waited longest"


def test_who_waited_for_long_is_not_starved_by_a_workspace_that_uses_less(host: Host) -> None:
    large, small = new_id(), new_id()
    queue(name="running", cpu=1.0, workspace_id=large)
    assert place_all() == {"running": "test-host"}
    patient = queue(name="patient", cpu=4.0, workspace_id=large)
    Workload.objects.filter(pk=patient.pk).update(queued_at=timezone.now() - timedelta(minutes=10))
    quick = queue(name="quick", cpu=1.0, workspace_id=small)
    assert place_all() == {"running": "test-host"}
    assert "waited for long" in fresh(quick).waiting_reason
    ended = Workload.objects.get(name="running")
    end_workload(ended.pk, ended.fence, cause=Cause.CANCELLED, facts={})
    assert place_all() == {"patient": "test-host"}


def test_the_platforms_own_work_comes_before_that_of_workspaces(host: Host) -> None:
    queue(name="run", cpu=4.0, workspace_id=new_id())
    queue(name="build", cpu=4.0, kind="environment")
    assert place_all() == {"build": "test-host"}


def finished_earlier(name: str, project: Any, minutes: float) -> None:
    now = timezone.now()
    begun = now - timedelta(minutes=minutes)
    Workload.objects.filter(pk=queue(name=name, project_id=project).pk).update(
        state="succeeded", started_at=begun, finished_at=now
    )


def test_it_says_how_long_going_by_earlier_runs_of_the_job(host: Host) -> None:
    project = new_id()
    for number, minutes in enumerate((4, 5, 30)):
        finished_earlier(f"churn/train #{number}", project, minutes)
    running = queue(name="churn/train #4", project_id=project, cpu=4.0, timeout_seconds=86400)
    placement.place(running.pk)
    begun = timezone.now() - timedelta(minutes=1)
    Workload.objects.filter(pk=running.pk).update(state="running", started_at=begun)
    first, second = queue(cpu=4.0, name="churn/train #5", project_id=project), queue(cpu=4.0)
    placement.place_queue()
    assert fresh(first).waiting_reason.endswith("Going by earlier ones, it waits about 4 minutes.")
    assert fresh(second).waiting_reason.endswith("Going by earlier ones, it waits about 9 minutes.")


def test_it_says_how_long_going_by_time_limits_where_nothing_is_known(host: Host) -> None:
    placement.place(queue(cpu=4.0, timeout_seconds=7200).pk)
    waiting = queue(cpu=4.0)
    placement.place(waiting.pk)
    assert (
        "It waits at most 2 hours: then the time limits of what runs there are over." in fresh(waiting).waiting_reason
    )


@pytest.mark.parametrize("plan", ["hashes", "loops"])
def test_one_end_wakes_one_row_however_many_wait_and_one_round_answers_all(
    host: Host, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A machine that is slow makes nobody look again meanwhile.
    monkeypatch.setattr(rounds, "LOOK_AGAIN", timedelta(hours=1))
    if plan == "loops":
        # What PostgreSQL may choose by itself, going by its statistics of the table.
        with connection.cursor() as cursor:
            for kind in ("hashjoin", "mergejoin", "hashagg", "material", "memoize", "sort"):
                cursor.execute(f"SET enable_{kind} = off")
    blocker = queue(cpu=4.0)
    placement.place(blocker.pk)
    waiting = [queue(cpu=4.0) for _ in range(5)]
    assert placement.is_awaited(waiting[3].pk)
    placement.place_queue()
    assert not placement.is_awaited()
    end_workload(blocker.pk, fresh(blocker).fence, cause=Cause.CANCELLED, facts={})
    assert [placement.is_awaited(each.pk) for each in waiting] == [True, False, False, False, False]
    placement.place_queue()
    assert not placement.is_awaited()
    connection.close()


def test_an_end_that_commits_while_a_round_runs_has_the_queue_looked_at_again(host: Host) -> None:
    blocker = queue(cpu=4.0)
    placement.place(blocker.pk)
    waiting = queue(cpu=4.0)
    began_before = timezone.now()
    underway = rounds.Round()
    # An end whose transaction began before the round did, and that the round did not see.
    Workload.objects.filter(pk=waiting.pk).update(hinted_at=began_before, available_at=began_before)
    underway.run()
    assert placement.is_awaited(waiting.pk)


def test_an_end_has_the_queue_looked_at_though_a_round_holds_all_of_it(host: Host) -> None:
    blocker = queue(cpu=4.0)
    placement.place(blocker.pk)
    waiting = queue(cpu=4.0)
    placement.place_queue()
    assert not placement.is_awaited(waiting.pk)
    is_held, may_commit = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Workload.objects.filter(pk=waiting.pk).update(waiting_reason="Looked at before there was room.")
            is_held.set()
            may_commit.wait(60)
        connection.close()

    def end() -> None:
        end_workload(blocker.pk, fresh(blocker).fence, cause=Cause.CANCELLED, facts={})
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        holding = pool.submit(hold)
        assert is_held.wait(60)
        ending = pool.submit(end)
        wait_until(lambda: fresh(blocker).is_ended, what="the end")
        may_commit.set()
        ending.result(60)
        holding.result(60)
    assert placement.is_awaited(waiting.pk)


def test_a_round_asks_the_database_as_often_however_many_wait(
    host: Host, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for number in range(20):
        make_host(f"host-{number:02}", cpu=1)
    placement.place(queue(cpu=4.0).pk)
    for _ in range(60):
        queue(cpu=4.0)
    with django_assert_max_num_queries(20):
        placement.place_queue()
    assert Workload.objects.exclude(waiting_reason="").count() == 60


def test_what_names_a_ready_image_waits_for_a_host_with_containers(host: Host) -> None:
    workload = queue(name="in an image", image="registry.example/tools:1")
    assert place_all() == {}
    assert "no active host runs containers" in fresh(workload).waiting_reason
    services.announce_host(name="d", cpu=1, memory_bytes=GIB, backend="docker", acting_user=ACTOR)
    assert place_all() == {"in an image": "d"}
