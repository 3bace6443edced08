"""Steps of kind `test`, run on a version; their ends make the check."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Run
from models.approvals import selectors, services, testing
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import GIB, ResourceProfile, Workload
from modelwright.core.errors import Conflict, PermissionRefused
from projects import services as projects
from projects import source
from projects.models import Project
from tests.approvals.conftest import made_by
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
MANIFEST = b"""
name: wine
steps:
- {name: good-enough, kind: test, model: wine, script: check.py, arguments: [--least, "0.8"], timeout: 5m}
- {name: fair, kind: test, model: wine, script: fair.py}
- {name: other, kind: test, model: cheese, script: check.py}
- {name: train, script: check.py}
"""


@pytest.fixture(autouse=True)
def _data(settings: Any) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="mwa-", dir="/tmp") as folder:
        settings.DATA_DIR = Path(folder)
        yield


@pytest.fixture
def version(actors: dict[str, Actor]) -> ModelVersion:
    """One of a project with files, whose file declares two tests of its model."""
    shell = make_project("shell", **dict.fromkeys(actors, "contributor"))
    project = projects.create_project(shell.workspace, name="wine", acting_user=Actor.system("tests"))
    for name, actor in actors.items():
        role = "viewer" if name == "eve" else "contributor"
        projects.set_member(project, actor.require_user(), role=role, acting_user=Actor.system("tests"))
    ResourceProfile.objects.get_or_create(name="medium", defaults={"cpu": 1.0, "memory_bytes": GIB})
    commit(project, {"modelwright.yaml": MANIFEST, "check.py": b"", "fair.py": b"", "requirements.txt": b""})
    return made_by(project, actors["ann"].user)


def commit(project: Project, files: dict[str, bytes]) -> None:
    projects.commit(
        project,
        dict(files),
        message="Change",
        expected_head=source.head(project),
        acting_user=Actor.system("tests"),
    )


def end(run: Run, state: str) -> None:
    """What the watcher and the collector of runs do."""
    Workload.objects.filter(pk=run.workload_id).update(state=state, collected_at=timezone.now())


def test_all_test_steps_of_the_model_make_one_check(version: ModelVersion, actors: dict[str, Actor]) -> None:
    tests = services.start_tests(version, acting_user=actors["bob"])
    assert [test.step for test in tests] == ["good-enough", "fair"]
    assert tests[0].run.arguments == ["--least", "0.8", "--model", "wine", "--version", "1"]
    assert tests[0].run.created_by == actors["bob"].user
    with pytest.raises(Conflict, match="under way"):
        services.start_tests(version, acting_user=actors["bob"])
    end(tests[0].run, "succeeded")
    assert testing.note_ended() == 0
    end(tests[1].run, "failed")
    assert (testing.note_ended(), testing.note_ended()) == (1, 0)
    check = selectors.newest_checks(version)["tests"]
    assert (check.outcome, check.detail) == ("failed", f"Failed: fair (run {tests[1].run.number}: failed).")
    assert [each["state"] for each in check.evidence["runs"]] == ["succeeded", "failed"]
    for test in services.start_tests(version, acting_user=actors["cid"]):
        end(test.run, "succeeded")
    assert testing.note_ended() == 1
    assert selectors.newest_checks(version)["tests"].outcome == "passed"
    assert AuditEvent.objects.filter(action=AuditAction.MODEL_TESTS_STARTED).count() == 2


def test_a_run_that_will_be_tried_again_is_waited_for(version: ModelVersion, actors: dict[str, Actor]) -> None:
    tests = services.start_tests(version, acting_user=actors["bob"])
    Run.objects.filter(pk=tests[0].run_id).update(retries=1)
    for test in tests:
        Workload.objects.filter(pk=test.run.workload_id).update(state="lost", collected_at=None)
    assert testing.note_ended() == 0


def test_without_a_step_or_a_role_nothing_starts(version: ModelVersion, actors: dict[str, Actor]) -> None:
    with pytest.raises(PermissionRefused):
        services.start_tests(version, acting_user=actors["eve"])
    commit(version.model.project, {"modelwright.yaml": b"name: wine\nsteps: []\n"})
    with pytest.raises(Conflict, match="declares no test of the model wine"):
        services.start_tests(version, acting_user=actors["bob"])
    assert not selectors.tests_of(version).exists()
