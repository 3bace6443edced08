"""What `./modelwright` says before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.local.__main__ import main


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_swarm_is_joined_and_not_started(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    assert main([command, "--backend", "swarm", "--data-dir", str(data)]) == 1
    said = capsys.readouterr().err
    for words in ("up --hosts-address", "Add a host", "--backend swarm --data-dir", "docs/swarm.md"):
        assert words in said
    assert not data.exists()


def test_a_backend_that_there_is_not_is_refused_wherever_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELWRIGHT_BACKEND", "podman")
    assert main(["up", "--data-dir", str(tmp_path / "data")]) == 1
    assert "'podman'. Choose process or docker" in capsys.readouterr().err
