"""Runs that ask for a size with GPUs."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from jobs.services import RunRequest, start_run
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute import placement, services
from modelwright.compute.gpus import Gpu
from modelwright.compute.models import GIB, ResourceProfile
from projects.models import Project

SYSTEM = Actor.system("tests")
pytestmark = pytest.mark.usefixtures("platform_python")


def test_a_run_asks_for_gpus_by_its_size_and_its_page_says_which_it_has(
    project: Project, browser_client: Any, admin: User
) -> None:
    services.announce_host(
        name=settings.HOST_NAME,
        cpu=4,
        memory_bytes=8 * GIB,
        gpus=[Gpu(0, problem="It does not answer."), Gpu(1)],
        labels={"gpu": "h100"},
        acting_user=SYSTEM,
    )
    ResourceProfile.objects.create(name="one-gpu", cpu=1, memory_bytes=GIB, gpus=1, labels={"gpu": "h100"})
    client = browser_client(admin)
    assert "one-gpu: 1 CPU, 1 GiB and 1 GPU" in client.get(f"/projects/{project.pk}/runs/new/").content.decode()
    run = start_run(project, RunRequest(script="train.py", profile="one-gpu"), acting_user=SYSTEM)
    assert (run.workload.gpus, run.workload.labels) == (1, {"gpu": "h100"})
    placement.place_queue()
    assert "1 GPU (number 1 of its host)" in client.get(f"/runs/{run.pk}/").content.decode()
