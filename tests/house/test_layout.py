"""Traps of the layout and rules that no linter knows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["platform", "workspaces", "projects", "jobs", "models", "lineage", "sessions"]


def sources(*folders: str) -> list[Path]:
    """Python files of the product (not tests, not what a build leaves)."""
    return [p for f in folders for p in (ROOT / f).rglob("*.py") if not {"node_modules", "__pycache__"} & set(p.parts)]


def test_platform_folder_does_not_shadow_the_standard_library() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    code = "import uuid, platform; print(platform.__file__)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "/platform.py" in out.stdout


def test_no_tests_under_platform() -> None:
    assert not [p for p in sources("platform") if p.name.startswith("test_") or p.name == "conftest.py"]


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*/migrations/0*.py")), ids=str)
def test_migrations_under_models_name_nothing_that_lives_under_models(path: Path) -> None:
    """The writer would emit `import models.x` and then rebind the name by `from django.db import models`."""
    assert not re.search(r"^\s*import models\.|^\s*from models\.", path.read_text(), re.MULTILINE)


def test_states_are_written_only_in_transitions() -> None:
    writes = re.compile(r"\.state\s*=(?!=)|update\([^)]*\bstate=|(?<![\w.])move\(")
    allowed = {"transitions.py", "states.py"}
    offenders = [
        f"{p.relative_to(ROOT)}:{n}"
        for p in sources(*ROOMS)
        if p.name not in allowed and "migrations" not in p.parts and not {"runtime", "backends", "local"} & set(p.parts)
        for n, line in enumerate(p.read_text().splitlines(), 1)
        if writes.search(line)
    ]
    assert not offenders


def test_nothing_is_unpickled_in_the_control_plane() -> None:
    pattern = re.compile(
        r"^\s*(import|from) (pickle|cloudpickle|joblib|dill|skops|sklearn|pandas|numpy)\b", re.MULTILINE
    )
    offenders = [
        str(p.relative_to(ROOT))
        for p in sources(*ROOMS)
        if "runtime" not in p.parts and "catalogue" not in p.parts and pattern.search(p.read_text())
    ]
    assert not offenders


def test_files_stay_small() -> None:
    long = [f"{p.relative_to(ROOT)}: {n}" for p in sources(*ROOMS) if (n := len(p.read_text().splitlines())) > 450]
    assert not long


def test_no_django_signals() -> None:
    offenders = [
        str(p.relative_to(ROOT))
        for p in sources(*ROOMS)
        if re.search(r"django\.(db\.models|dispatch).*signals?|@receiver", p.read_text())
    ]
    assert not offenders


def test_the_lock_and_packages_name_no_private_registry() -> None:
    hosts = set(re.findall(r'"https?://([^/"]+)', (ROOT / "uv.lock").read_text()))
    assert hosts <= {"pypi.org", "files.pythonhosted.org"}
    lock = ROOT / "package-lock.json"
    assert not lock.exists() or '"resolved": "http' not in lock.read_text()
