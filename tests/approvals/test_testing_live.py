"""Tests of a version as real processes, with a real MLflow: what the script ends with is what stands on record."""

from __future__ import annotations

from typing import Any

import pytest

from models.approvals import selectors, services, testing
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from tests.jobs.conftest import (  # noqa: F401 - fixtures
    _web,
    commit_files,
    make_project,
    mlflow_server,
    platform_python,
    profiles,
    tracking_files,
    web,
)
from tests.jobs.turning import execute

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MANIFEST = "name: wine\nsteps:\n- {name: good-enough, kind: test, model: wine, script: check.py}\n"
# Only the second version is good enough.
CHECK = """
import sys
sys.exit(0 if sys.argv[1:] == ["--model", "wine", "--version", "2"] else "not good enough")
"""


@pytest.mark.usefixtures("web", "tracking_files", "platform_python", "profiles")
def test_a_script_that_fails_fails_the_check(make_project: Any, commit_files: Any) -> None:  # noqa: F811
    project = make_project("wine")
    commit_files(project, {"modelwright.yaml": MANIFEST, "check.py": CHECK})
    model = RegisteredModel.objects.create(project=project, name="wine")
    outcomes = []
    for number in (1, 2):
        version = ModelVersion.objects.create(model=model, number=number, state="ready", source="models:/m-0")
        for test in services.start_tests(version, acting_user=Actor.system("tests")):
            execute(test.run)
        assert testing.note_ended() == 1
        outcomes.append(selectors.newest_checks(version)["tests"].outcome)
    assert outcomes == ["failed", "passed"]
