"""Documents name everything that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from modelwright.audit.actions import AuditAction
from modelwright.console.problem_texts import PROBLEMS

ROOT = Path(settings.BASE_DIR)
SET_BY_THE_PLATFORM = {"DJANGO_SETTINGS_MODULE"}


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("action", list(AuditAction))
def test_every_audit_action_is_explained(action: AuditAction) -> None:
    assert f"| `{action}` |" in read("audit.md")


def test_no_audit_action_is_explained_that_does_not_exist() -> None:
    named = set(re.findall(r"^\| `([a-z-]+\.[a-z-]+)` \|", read("audit.md"), re.MULTILINE))
    assert named == {str(action) for action in AuditAction}


def test_every_setting_is_explained() -> None:
    source = (ROOT / "platform" / "modelwright" / "settings.py").read_text()
    names = set(re.findall(r"os\.environ\.get\(\s*\"([A-Z_]+)\"", source)) - SET_BY_THE_PLATFORM
    assert names
    assert [name for name in sorted(names) if f"| `{name}` |" not in read("settings.md")] == []


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: str(problem.code))
def test_every_problem_type_is_explained_in_the_same_words(problem: object) -> None:
    code, status, title = (getattr(problem, name) for name in ("code", "status", "title"))
    meaning, remedy = (getattr(problem, name) for name in ("meaning", "remedy"))
    assert f"| `{code}` | {status} | {title}. {meaning} | {remedy} |" in read("problems.md")
