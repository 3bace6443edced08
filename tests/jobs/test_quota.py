"""The limits of a workspace, as runs are started."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.models import Run
from jobs.services import RunRequest, start_run
from modelwright.accounts.actors import Actor
from modelwright.compute.models import Workload
from modelwright.core.errors import QuotaExceeded
from projects.models import Project
from workspaces.models import Workspace

SYSTEM = Actor.system("tests")
pytestmark = pytest.mark.usefixtures("platform_python")
REQUEST = RunRequest(script="train.py", profile="small")


def limit(project: Project, **limits: Any) -> None:
    Workspace.objects.filter(pk=project.workspace_id).update(**limits)
    project.workspace.refresh_from_db()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"concurrent_runs_limit": 1}, "1 runs are waiting or running"),
        ({"cpu_limit": 0.75}, "0.5 CPUs are in use"),
        ({"memory_limit_mib": 1500}, "1024 MiB are in use"),
    ],
)
def test_a_run_over_a_limit_is_refused_and_leaves_nothing(project: Project, limits: dict[str, Any], said: str) -> None:
    limit(project, **limits)
    start_run(project, REQUEST, acting_user=SYSTEM)
    with pytest.raises(QuotaExceeded) as caught:
        start_run(project, REQUEST, acting_user=SYSTEM)
    assert said in caught.value.message
    assert caught.value.remedy
    assert Run.objects.count() == 1


def test_what_has_ended_counts_no_more(project: Project) -> None:
    limit(project, concurrent_runs_limit=1)
    first = start_run(project, REQUEST, acting_user=SYSTEM)
    Workload.objects.filter(pk=first.workload_id).update(state="succeeded")
    start_run(project, REQUEST, acting_user=SYSTEM)
    assert Run.objects.count() == 2


def test_another_workspace_is_not_concerned(project: Project, make_project: Any) -> None:
    limit(project, concurrent_runs_limit=1)
    start_run(project, REQUEST, acting_user=SYSTEM)
    other = Workspace.objects.create(name="other", concurrent_runs_limit=1)
    Workload.objects.filter(project_id=project.pk).update(workspace_id=other.pk)
    start_run(project, REQUEST, acting_user=SYSTEM)
    assert Run.objects.count() == 2
