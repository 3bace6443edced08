"""The project's requirements and JupyterLab, resolved together."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.accounts.actors import Actor
from modelwright.compute.models import EnvironmentRequest
from modelwright.compute.services import request_environment

SYSTEM = Actor.system("tests")
pytestmark = pytest.mark.django_db
LAB = ("jupyterlab==4.6.6",)


def ask(text: str, **changes: Any) -> EnvironmentRequest:
    return request_environment(requirements=text, acting_user=SYSTEM, **changes)


def test_additions_are_lines_of_the_same_file_so_that_they_are_resolved_together() -> None:
    request = ask("six==1.17.0", additions=LAB)
    assert request.workload is not None
    assert request.workload.spec["files"] == {"requirements.txt": "six==1.17.0\njupyterlab==4.6.6\n"}
    assert ask("six==1.17.0").pk != request.pk
    assert ask("six==1.17.0\n", additions=LAB).pk == request.pk


def test_a_project_file_keeps_its_text_and_the_additions_stand_beside_it() -> None:
    text = '[project]\nname = "churn"\nversion = "1"\ndependencies = ["six"]\n'
    request = ask(text, kind="pyproject.toml", additions=LAB)
    assert request.workload is not None
    files = request.workload.spec["files"]
    assert files["additions.txt"] == "jupyterlab==4.6.6\n"
    assert files["pyproject.toml"].startswith(text)
    assert request.workload.spec["command"][-2:] == ["--additions", "additions.txt"]


def test_without_additions_a_request_is_the_one_of_every_run() -> None:
    request = ask("six==1.17.0\n")
    assert request.workload is not None
    assert "--additions" not in request.workload.spec["command"]
    assert request.requirements == "six==1.17.0\n"
