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


def test_an_emergency_rollback_takes_the_data_directory_as_every_command_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for words in (["--data-dir", str(tmp_path)], [f"--data-dir={tmp_path}"]):
        assert main(["rollback", "demo/churn", "--reason", "worse", *words]) == 1
        said = capfd.readouterr().err
        assert f"{tmp_path}/gateway/routes.json is missing" in said
        assert "--data-dir or MODELWRIGHT_DATA_DIR" in said
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "routes.json").write_text('{"revision": 1, "endpoints": {}}')
    assert main(["rollback", "demo/churn", "--reason", "worse", "--data-dir", str(tmp_path)]) == 1
    assert "serves no endpoint 'demo/churn'" in capfd.readouterr().err


def test_what_the_system_refuses_is_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, text = tmp_path / "nope.json", tmp_path / "text.json"
    text.write_text("no JSON")
    assert main(["restore", str(missing), "--data-dir", str(tmp_path / "data")]) == 1
    assert f"{missing} cannot be read: No such file or directory." in capsys.readouterr().err
    assert main(["restore", str(text), "--data-dir", str(tmp_path / "data")]) == 1
    assert "it is no JSON" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["manage", "check"], ["backup", "kept"], ["host"]])
def test_a_mistyped_data_directory_makes_no_installation(
    words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "mistyped"
    assert main([*words, "--data-dir", str(data)]) == 1
    said = capfd.readouterr().err
    assert str(data) in said
    assert "--data-dir" in said
    assert not data.exists()


def test_django_says_how_to_make_the_installation_that_is_not_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "of-a-host"
    (data / "secrets").mkdir(parents=True)
    (data / "secrets" / "secret-key").write_text("k")
    (data / "host.json").write_text("{}")
    mistyped = tmp_path / "mistyped"
    for place, new in ((mistyped, mistyped), (data, "<another folder>")):
        assert main(["manage", "check", "--data-dir", str(place)]) == 1
        said = capfd.readouterr().err
        assert f"There is no installation in {place}" in said
        assert "--data-dir or MODELWRIGHT_DATA_DIR" in said
        assert f"./modelwright up --data-dir {new}" in said
    assert not (data / "postgres").exists()
