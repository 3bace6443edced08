"""An environment on several hosts: who has it, who makes it, and where what needs it goes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.utils import timezone
from pytest_django import Settings

from modelwright.compute import copies, placement, selectors, services, transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.ending import end_workload
from modelwright.compute.environments.build import lock_digest
from modelwright.compute.layout import environment_folder, local_backend
from modelwright.compute.models import Environment, EnvironmentCopy, Host, Workload

from .support import ACTOR, fresh, make_host, queue, watch_to_end, watch_until

pytestmark = pytest.mark.django_db(transaction=True)
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def make_environment(lock: str = "# nothing\n", *hosts: Host) -> Environment:
    environment = Environment.objects.create(
        lock_digest=lock_digest(lock, PYTHON), lock=lock, python_version=PYTHON, size_bytes=1
    )
    for host in hosts:
        copies.enter_copy(environment, host)
    return environment


def copy_on(host: Host) -> EnvironmentCopy:
    return EnvironmentCopy.objects.select_related("workload").get(host=host)


def end_build(copy: EnvironmentCopy, *, error: str = "") -> None:
    """The build of the copy ends on its host, and what it left is taken."""
    assert copy.workload is not None
    build = fresh(copy.workload)
    assert build.fence is not None, build.waiting_reason
    transitions.begin_start(build.pk, build.fence)
    cause = Cause.FAILED if error else Cause.SUCCEEDED
    end_workload(build.pk, build.fence, cause=cause, facts={"started_at": timezone.now()})
    digest = copy.environment.lock_digest
    result = {"ok": False, "error": error, "remedy": "Add space."} if error else {"ok": True, "digest": digest}
    copies.take_copy_result(fresh(build), result)


@pytest.fixture
def away(db: None, data: Path) -> Host:
    """Another host than this one."""
    return make_host("away")


def test_where_a_host_has_it_nothing_is_built(away: Host) -> None:
    make_host("nearly-full", cpu=1, memory_gib=1)
    workload = queue(environment=make_environment("# nothing\n", away))
    placement.place(workload.pk)
    assert fresh(workload).host == away, "though the other host would be the better fit"
    assert Workload.objects.count() == 1


def test_where_no_host_that_fits_has_it_the_best_one_prepares_it_first(away: Host) -> None:
    workload = queue(environment=make_environment())
    assert placement.place(workload.pk) is None
    copy = copy_on(away)
    assert (copy.state, copy.workload is not None) == ("building", True)
    assert fresh(workload).waiting_reason.startswith("Host away is about to prepare its environment")
    build = copy.workload
    assert build is not None
    assert (build.kind, build.pinned_host_id) == ("environment", away.pk)
    assert build.spec["files"] == {"lock.txt": "# nothing\n"}

    placement.place_queue()
    placement.place(workload.pk)
    assert fresh(build).host == away
    since = fresh(build).placed_at
    assert fresh(workload).waiting_reason == (
        f"Host away is preparing its environment (building since {since:%H:%M:%S} UTC)."
    )
    end_build(copy)
    assert placement.place(workload.pk) is not None
    assert (fresh(workload).host, copy_on(away).state) == (away, "ready")
    assert EnvironmentCopy.objects.count() == 1


def test_a_host_that_becomes_free_meanwhile_is_taken(away: Host) -> None:
    other = make_host("other")
    blocker = queue(cpu=4.0, pinned_host=other)
    placement.place(blocker.pk)
    workload = queue(environment=make_environment("# nothing\n", other))
    assert placement.place(workload.pk) is None
    assert copy_on(away).state == "building"
    end_workload(blocker.pk, fresh(blocker).fence, cause=Cause.CANCELLED, facts={})
    placement.place(workload.pk)
    assert fresh(workload).host == other


def test_as_many_hosts_prepare_it_as_are_needed(db: None, data: Path) -> None:
    hosts = [make_host(f"host-{number}") for number in range(4)]
    environment = make_environment()
    for _ in range(3):
        queue(cpu=4.0, environment=environment)
    placement.place_queue()
    placement.place_queue()
    assert EnvironmentCopy.objects.filter(host__in=hosts, state="building").count() == 3


def test_a_host_that_fails_to_make_it_is_left_out(away: Host) -> None:
    workload = queue(environment=make_environment())
    placement.place_queue()
    placement.place_queue()
    other = make_host("other", memory_gib=64)
    end_build(copy_on(away), error="The disk is full.")
    placement.place(workload.pk)
    assert fresh(workload).waiting_reason.startswith("Host other is about to prepare its environment")
    placement.place_queue()
    end_build(copy_on(other))
    placement.place(workload.pk)
    assert fresh(workload).host == other


def test_where_every_host_failed_to_make_it_the_workload_fails_and_says_why(away: Host) -> None:
    environment = make_environment()
    workload = queue(environment=environment)
    placement.place_queue()
    placement.place_queue()
    end_build(copy_on(away), error="The disk is full.")
    placement.place(workload.pk)
    ended = fresh(workload)
    assert ended.state == "failed"
    assert ended.detail == (
        "Its environment could not be prepared on any host that is good enough for it.\n"
        "Host away: The disk is full.\nAdd space."
    )
    again = queue(environment=environment)
    placement.place(again.pk)
    assert copy_on(away).state == "building", "who comes later has it tried again"


def test_asking_twice_is_one_build(away: Host) -> None:
    environment = make_environment()
    first, second = (services.request_copy(environment, away, acting_user=ACTOR) for _ in range(2))
    assert first == second
    assert Workload.objects.filter(kind="environment").count() == 1


def test_a_folder_of_this_host_that_nobody_noted_is_used(host: Host, local: ProcessBackend) -> None:
    environment = make_environment()
    folder = environment_folder(environment)
    folder.mkdir(parents=True)
    (folder / ".ready").touch()
    workload = queue(environment=environment)
    placement.place(workload.pk)
    assert fresh(workload).host == host
    assert copy_on(host).state == "ready"


def test_what_is_placed_where_the_folder_has_gone_goes_back_into_the_queue(host: Host, local: ProcessBackend) -> None:
    environment = make_environment()
    copies.enter_copy(environment, host)
    first, second = (queue(environment=environment) for _ in range(2))
    for workload in (first, second):
        assert transitions.place(workload, host, environment=environment)
    for workload in (first, second):
        placement.start_here(workload.pk, local)
        sent_back = fresh(workload)
        assert (sent_back.state, sent_back.fence) == ("queued", None)
        assert "gone from host test-host" in sent_back.waiting_reason
    assert copy_on(host).state == "removed"


def test_a_removed_environment_leaves_the_disk_of_every_host(
    away: Host, settings: Settings, tmp_path: Path, admin: object
) -> None:
    environment = make_environment("# nothing\n", away)
    settings.HOST_NAME = away.name
    folder = environment_folder(environment)
    folder.mkdir(parents=True)
    copies.forget_removed()
    assert folder.exists()
    transitions.copy_removed(copy_on(away))
    copies.forget_removed()
    assert not folder.exists()


def test_environments_of_before_have_a_copy_where_they_were_built(host: Host, away: Host) -> None:
    build = queue(kind="environment")
    assert transitions.place(build, away, environment=None)
    environment = make_environment()
    Environment.objects.update(build=build)
    migration = importlib.import_module("modelwright.compute.migrations.0006_environment_copies")
    migration.enter_copies(apps, None)
    migration.enter_copies(apps, None)
    copy = copy_on(away)
    assert (copy.environment, copy.state) == (environment, "ready")
    assert EnvironmentCopy.objects.count() == 1


@pytest.fixture
def two_hosts(host: Host, data: Path, settings: Settings) -> tuple[ProcessBackend, ProcessBackend]:
    """The backends of this host and of the host `second`, whose disk is another one."""
    first = local_backend()
    settings.DATA_DIR = data / "second"
    second = local_backend()
    settings.DATA_DIR = data
    assert isinstance(first, ProcessBackend)
    assert isinstance(second, ProcessBackend)
    return first, second


@pytest.mark.slow
def test_the_second_host_builds_from_the_lock_of_the_first(
    host: Host, two_hosts: tuple[ProcessBackend, ProcessBackend], data: Path, settings: Settings
) -> None:
    request = services.request_environment(requirements="six==1.17.0\n", acting_user=ACTOR)
    assert request.workload is not None
    watch_to_end(request.workload, host, two_hosts[0])
    watch_until(lambda: EnvironmentCopy.objects.filter(host=host, state="ready").exists(), host, two_hosts[0])
    second = services.announce_host(
        name="second", cpu=4, memory_bytes=8 * 2**30, labels={"disk": "ssd"}, acting_user=ACTOR
    )
    command = ["{python}", "-c", "import six, sys; print(six.__version__, sys.prefix)"]
    workload = queue(command=command, environment_request=request, labels={"disk": "ssd"})

    settings.HOST_NAME, settings.DATA_DIR = "second", data / "second"
    ended = watch_to_end(workload, second, two_hosts[1])
    assert ended.state == "succeeded", selectors.read_log(ended)
    assert ended.environment is not None
    assert selectors.read_log(ended)[0] == f"1.17.0 {data / 'second'}/environments/{ended.environment.lock_digest}\n"
    assert EnvironmentCopy.objects.filter(state="ready").count() == 2
    builds = Workload.objects.filter(kind="environment").order_by("queued_at")
    assert [build.host.name for build in builds.select_related("host") if build.host] == ["test-host", "second"]
