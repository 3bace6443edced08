"""The build script, run as the workload would run it, with the real uv and the real index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelwright.compute.environments import build

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def run(folder: Path, requirements: str, *, name: str = "requirements.txt", **environment: str) -> dict[str, Any]:
    work = folder / f"work-{len(list(folder.iterdir()))}-{os.urandom(3).hex()}"
    work.mkdir()
    (work / name).write_text(requirements)
    arguments = ["--source", name, "--python", PYTHON, "--environments", str(folder / "environments")]
    done = subprocess.run(
        [sys.executable, "-I", build.__file__, *arguments, "--result", "result.json"],
        cwd=work,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    result: dict[str, Any] = json.loads((work / "result.json").read_text())
    assert done.returncode == (0 if result["ok"] else 1), done
    return {**result, "output": done.stdout}


def test_a_requirements_file_becomes_a_locked_environment_and_is_reused(tmp_path: Path) -> None:
    first = run(tmp_path, "six==1.17.0\n")
    assert first["ok"]
    assert not first["reused"]
    assert "six==1.17.0" in first["lock"]
    assert "--hash=sha256:" in first["lock"]
    assert first["digest"] == build.lock_digest(first["lock"], PYTHON)
    python = tmp_path / "environments" / first["digest"] / "bin" / "python"
    version = subprocess.run([python, "-c", "import six; print(six.__version__)"], capture_output=True, text=True)
    assert version.stdout == "1.17.0\n"

    again = run(tmp_path, "# the same in other words\nsix == 1.17.0\n")
    assert (again["digest"], again["reused"]) == (first["digest"], True)
    assert "built before" in again["reason"]


def test_a_pyproject_names_an_environment_too(tmp_path: Path) -> None:
    text = '[project]\nname = "p"\nversion = "1"\ndependencies = ["six==1.17.0"]\n'
    assert "six==1.17.0" in run(tmp_path, text, name="pyproject.toml")["lock"]


def test_an_unfinished_build_is_done_afresh(tmp_path: Path) -> None:
    digest = run(tmp_path, "six==1.17.0\n")["digest"]
    folder = tmp_path / "environments" / digest
    (folder / build.READY).unlink()
    (folder / "bin" / "python").unlink()
    result = run(tmp_path, "six==1.17.0\n")
    assert (result["reused"], result["reason"]) == (False, "Built because a build before it did not finish.")
    assert (folder / "bin" / "python").exists()


def test_two_builders_of_one_lock_build_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run(tmp_path, "six==1.17.0\n"), range(2)))
    assert sorted(result["reused"] for result in results) == [False, True]


@pytest.mark.parametrize(
    ("requirements", "named"),
    [
        ("no-such-package-of-ours-0\n", "no package 'no-such-package-of-ours-0'"),
        ("six==99.0\n", "No version satisfies 'six==99.0'"),
        ("six >=> 3\n", "one requirement a line"),
    ],
)
def test_what_cannot_be_resolved_is_named_with_a_remedy(tmp_path: Path, requirements: str, named: str) -> None:
    result = run(tmp_path, requirements)
    assert not result["ok"]
    assert named in result["remedy"]
    assert named in result["output"]
    assert result["error"]


def test_a_missing_uv_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, "six\n", MODELWRIGHT_UV="/nowhere/uv")
    assert "/nowhere/uv" in result["error"]
    assert "MODELWRIGHT_UV" in result["remedy"]


def test_the_digest_depends_on_lock_and_python() -> None:
    assert len({build.lock_digest("a", "3.11"), build.lock_digest("b", "3.11"), build.lock_digest("a", "3.12")}) == 3
