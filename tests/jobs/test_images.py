"""Ready images in place of environments: which may be named, and where such a run can go."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from jobs.models import Job
from jobs.services import RunRequest, change_job, create_job, follow_manifest, start_run
from modelwright.accounts.actors import Actor
from modelwright.compute import placement
from modelwright.compute.models import Host
from modelwright.core.errors import ValidationFailed
from projects.models import Project
from tests.compute.support import make_host
from tests.jobs.turning import fresh

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")
IMAGE = "registry.example.org/team/tools:1"


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.IMAGES = ["registry.example.org/team/*"]


def containers(name: str) -> Host:
    host = make_host(name)
    Host.objects.filter(pk=host.pk).update(backend=Host.Backend.DOCKER)
    return host


@pytest.mark.parametrize(
    "image", ["postgres:16", "registry.example.org/other/tools:1", "registry.example.org/team/a b"]
)
def test_an_image_that_nobody_allowed_is_refused_with_those_that_may_be_named(project: Project, image: str) -> None:
    containers("box")
    with pytest.raises(ValidationFailed, match="may be named") as caught:
        start_run(project, RunRequest(script="train.py", image=image), acting_user=SYSTEM)
    assert caught.value.errors[0].field == "image"
    assert "registry.example.org/team/*" in caught.value.remedy


def test_without_a_host_with_containers_no_image_can_be_named(project: Project) -> None:
    make_host("plain")
    with pytest.raises(ValidationFailed, match="in containers"):
        create_job(project, name="tools", script="train.py", image=IMAGE, acting_user=SYSTEM)


def test_a_run_of_a_job_with_an_image_needs_no_environment_and_goes_to_containers(project: Project) -> None:
    make_host("plain", cpu=64, memory_gib=64)
    job = create_job(project, name="tools", script="train.py", acting_user=SYSTEM)
    box = containers("box")
    job = change_job(job, image=IMAGE, acting_user=SYSTEM)
    run = start_run(project, RunRequest(job=job), acting_user=SYSTEM)
    assert run.workload.environment_request is None
    assert run.workload.spec["image"] == IMAGE
    placement.place(run.workload.pk)
    assert fresh(run).workload.host == box


def test_the_projects_file_can_name_an_image_and_how_often_a_lost_run_starts_again(
    project: Project, commit_files: Any
) -> None:
    step = f"name: churn\nsteps:\n- name: train\n  script: train.py\n  image: {IMAGE}\n  retries: 2\n"
    commit_files(project, {"modelwright.yaml": step})
    assert "in containers" in follow_manifest(project)
    assert not Job.objects.filter(project=project).exists()
    containers("box")
    assert follow_manifest(project) == ""
    job = Job.objects.get(project=project)
    assert (job.image, job.retries) == (IMAGE, 2)
    run = start_run(project, RunRequest(job=job), acting_user=SYSTEM)
    assert (run.workload.spec["image"], run.retries) == (IMAGE, 2)
