"""Which replays count: the newest of each endpoint, all of them, those in the lab only where there are no others."""

from __future__ import annotations

import pytest

from models.approvals import services
from models.approvals.selectors import standing
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from projects.models import Project
from tests.approvals.conftest import made_by

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")


def replayed(version: ModelVersion, outcome: str, endpoint: str, stage: str = "lab") -> None:
    evidence = {"endpoint": endpoint, "stage": stage}
    services.record_check(version, "replay", outcome, f"at {endpoint}", evidence, acting_user=SYSTEM)


def outcome(version: ModelVersion) -> tuple[str | None, str]:
    (stands,) = [each for each in standing(version, "production") if each["kind"] == "replay"]
    return stands["outcome"], stands["detail"]


def test_a_later_pass_at_another_endpoint_hides_no_failure(version: ModelVersion) -> None:
    replayed(version, "failed", "a")
    replayed(version, "passed", "b")
    assert outcome(version) == ("failed", "at a")
    replayed(version, "passed", "a")
    assert outcome(version) == ("passed", "at a")
    replayed(version, "failed", "b")
    assert outcome(version) == ("failed", "at b")


def test_the_lab_counts_no_more_once_a_version_of_the_model_was_replayed_at_a_higher_stage(
    version: ModelVersion, project: Project, people: dict[str, User]
) -> None:
    replayed(version, "passed", "own")
    assert outcome(version) == ("passed", "at own")
    other = made_by(project, people["bob"], number=2)
    replayed(other, "passed", "clients", "production")
    assert outcome(version) == (None, "")
    replayed(version, "failed", "clients", "staging")
    replayed(version, "passed", "own")
    assert outcome(version) == ("failed", "at clients")
    replayed(version, "passed", "clients", "production")
    assert outcome(version) == ("passed", "at clients")
    stranger = made_by(project, people["bob"], name="other")
    replayed(stranger, "passed", "own")
    assert outcome(stranger) == ("passed", "at own")
