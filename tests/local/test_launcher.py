"""The executable explains itself without anything being installed."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelwright.local.installation import from_environment
from modelwright.local.layout import REPOSITORY, Layout

Step = Callable[[Callable[[], None]], str]


def launch(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "modelwright", *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_names_every_command(word: str) -> None:
    result = launch(word)
    assert result.returncode == 0
    for command in ("up", "demo", "test", "manage"):
        assert f"./modelwright {command}" in result.stdout


def test_without_a_command_it_explains_itself_and_fails() -> None:
    result = launch()
    assert result.returncode == 2
    assert "./modelwright up" in result.stdout


def test_a_wrong_command_is_named_with_the_nearest_right_one() -> None:
    result = launch("dmeo")
    assert result.returncode == 2
    assert "'dmeo'" in result.stderr
    assert "Did you mean `./modelwright demo`?" in result.stderr


def test_the_options_of_a_command_are_listed() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "modelwright.local", "up", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for option in ("--data-dir", "--web-port", "--gateway-port", "--sessions-port", "--host"):
        assert option in result.stdout


@pytest.mark.parametrize(("backend", "words"), [("process", []), ("docker", ["--backend", "docker"])])
def test_the_steps_that_are_announced_are_those_that_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, words: list[str]
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "MLFLOW_DATABASE_URL", "MODELWRIGHT_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["modelwright", "up", *words])
    launcher = runpy.run_path(str(REPOSITORY / "modelwright"), run_name="launcher")
    layout = Layout(tmp_path)
    layout.admin_created.parent.mkdir(parents=True)
    layout.admin_created.touch()
    programs = from_environment(layout, "127.0.0.1", 1, 2, backend, None, 3).programs()
    assert launcher["Progress"]("up").total == launcher["STEPS_OF"]["up"] + len(programs)


@pytest.fixture
def compile_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    """The launcher's step, on a machine that has nothing compiled and no programs but those in `tmp_path`."""
    step: Step = runpy.run_path(str(REPOSITORY / "modelwright"), run_name="launcher")["compile_gateway"]
    monkeypatch.setitem(step.__globals__, "TOOLS", tmp_path / "tools")
    monkeypatch.setitem(step.__globals__, "VENV", Path(sys.prefix))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MODELWRIGHT_GATEWAY_NATIVE", raising=False)
    return step


def test_a_gateway_that_cannot_be_compiled_keeps_nobody_from_starting(tmp_path: Path, compile_gateway: Step) -> None:
    for name, lines in (("cc", "exit 0"), ("uv", "echo no network; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{lines}\n")
        (tmp_path / name).chmod(0o755)
    assert "not possible, so it runs as Python" in compile_gateway(lambda: None)
    assert "no network" in (tmp_path / "tools" / "native.log").read_text()
    assert "MODELWRIGHT_GATEWAY_NATIVE" not in os.environ


@pytest.mark.parametrize(("folder", "note"), [(None, "there is no C compiler, so it runs as Python"), ("", "as set")])
def test_the_gateway_is_started_as_python_where_it_cannot_be_compiled_or_shall_not_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    compile_gateway: Step,
    folder: str | None,
    note: str,
) -> None:
    if folder is not None:
        monkeypatch.setenv("MODELWRIGHT_GATEWAY_NATIVE", folder)
    assert note in compile_gateway(lambda: None)
    assert os.environ.get("MODELWRIGHT_GATEWAY_NATIVE") == folder
    assert not list(tmp_path.iterdir())
