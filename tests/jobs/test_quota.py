"""The limits of a workspace: what is refused as a run is started, and what waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from jobs.models import Run
from jobs.services import RunRequest, start_run
from modelwright.accounts.actors import Actor
from modelwright.compute import placement, services
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.gpus import Gpu
from modelwright.compute.models import GIB, Host, ResourceProfile, Workload
from modelwright.core.errors import QuotaExceeded
from projects.models import Project
from workspaces.models import Workspace

SYSTEM = Actor.system("tests")
pytestmark = pytest.mark.usefixtures("platform_python")
REQUEST = RunRequest(script="train.py", profile="small")


@pytest.fixture
def host(db: None) -> Host:
    return services.announce_host(
        name=settings.HOST_NAME, cpu=8, memory_bytes=16 * GIB, gpus=[Gpu(0), Gpu(1)], acting_user=SYSTEM
    )


def limit(project: Project, **limits: Any) -> None:
    Workspace.objects.filter(pk=project.workspace_id).update(**limits)
    project.workspace.refresh_from_db()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"cpu_limit": 0.25}, "is 0.5 CPUs"),
        ({"memory_limit_mib": 1000}, "is 1024 MiB"),
        ({"gpu_limit": 0}, "is 1 GPUs"),
        ({"profiles": ["large"]}, "may not use the size one-gpu"),
    ],
)
def test_a_size_that_never_fits_the_limits_is_refused_and_leaves_nothing(
    project: Project, host: Host, limits: dict[str, Any], said: str
) -> None:
    ResourceProfile.objects.create(name="one-gpu", cpu=0.5, memory_bytes=GIB, gpus=1)
    limit(project, **limits)
    with pytest.raises(QuotaExceeded) as caught:
        start_run(project, RunRequest(script="train.py", profile="one-gpu"), acting_user=SYSTEM)
    assert said in caught.value.message
    assert caught.value.remedy
    assert not Run.objects.exists()


def test_where_only_some_sizes_are_allowed_the_usual_one_is_one_of_them(project: Project) -> None:
    limit(project, profiles=["small"])
    run = start_run(project, RunRequest(script="train.py"), acting_user=SYSTEM)
    assert run.workload.cpu == ResourceProfile.objects.get(name="small").cpu


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"concurrent_runs_limit": 1}, "1 of 1 runs are going"),
        ({"cpu_limit": 0.75}, "0.5 of 0.75 CPUs are in use and it needs 0.5"),
        ({"memory_limit_mib": 1500}, "1 of 1.46 GiB are in use and it needs 1"),
    ],
)
def test_what_fits_no_more_waits_until_another_has_ended(
    project: Project, host: Host, limits: dict[str, Any], said: str
) -> None:
    limit(project, **limits)
    first, second = (start_run(project, REQUEST, acting_user=SYSTEM).workload for _ in range(2))
    placement.place_queue()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("placed", "queued")
    assert f"workspace {project.workspace.name} is at its limit: {said}" in second.waiting_reason
    end_workload(first.pk, first.fence, cause=Cause.CANCELLED, facts={})
    placement.place_queue()
    second.refresh_from_db()
    assert second.state == "placed"


def test_gpus_of_a_workspace_are_counted(project: Project, host: Host) -> None:
    ResourceProfile.objects.create(name="one-gpu", cpu=0.5, memory_bytes=GIB, gpus=1)
    limit(project, gpu_limit=1)
    for _ in range(2):
        start_run(project, RunRequest(script="train.py", profile="one-gpu"), acting_user=SYSTEM)
    placement.place_queue()
    assert list(Workload.objects.filter(state="placed").values_list("gpu_indexes", flat=True)) == [[0]]
    assert "1 of 1 GPUs are in use" in Workload.objects.get(state="queued").waiting_reason


def test_another_workspace_is_not_concerned(project: Project, host: Host) -> None:
    limit(project, concurrent_runs_limit=1)
    other = Workspace.objects.create(name="other", concurrent_runs_limit=1)
    for workspace in (project.workspace, other):
        run = start_run(project, REQUEST, acting_user=SYSTEM)
        Workload.objects.filter(pk=run.workload_id).update(workspace_id=workspace.pk)
    placement.place_queue()
    assert Workload.objects.filter(state="placed").count() == 2


def test_a_workspace_bound_to_labels_waits_for_a_host_that_has_them(project: Project, host: Host) -> None:
    limit(project, host_labels={"zone": "a"})
    workload = start_run(project, REQUEST, acting_user=SYSTEM).workload
    placement.place_queue()
    workload.refresh_from_db()
    assert workload.waiting_reason == "It needs a host with the label zone=a, and no active host has that."
    services.announce_host(
        name=host.name, cpu=8, memory_bytes=16 * GIB, labels={"zone": "a", "disk": "ssd"}, acting_user=SYSTEM
    )
    placement.place_queue()
    workload.refresh_from_db()
    assert workload.state == "placed"


def test_what_outgrew_a_limit_that_was_lowered_is_told_so_and_blocks_nobody(project: Project, host: Host) -> None:
    large = start_run(project, RunRequest(script="train.py", profile="medium"), acting_user=SYSTEM).workload
    Workload.objects.filter(pk=large.pk).update(queued_at=timezone.now() - timedelta(hours=1))
    limit(project, cpu_limit=0.5)
    small = start_run(project, REQUEST, acting_user=SYSTEM).workload
    placement.place_queue()
    for workload in (large, small):
        workload.refresh_from_db()
    assert "only when an administrator of the installation raises the limit" in large.waiting_reason
    assert small.state == "placed"
