"""Going back by what the route table says itself of the warm deployments before."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from models.gateway import table_file
from models.gateway.rollback import CannotGoBack, go_back, main
from models.gateway.routes import parse
from tests.gateway.processes import endpoint, target

NAME = "acme/wine"


def deployed(number: int, version: int) -> dict[str, Any]:
    whole = endpoint(number, target("wine", version, f"/s/{version}"))
    return {name: value for name, value in whole.items() if name not in ("endpoint_id", "keys")}


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    now = {
        **endpoint(5, target("wine", 3, "/s/3")),
        "redact": ["shade"],
        "state": "active",
        "routing": {"assign": None},
    }
    path = tmp_path / "routes.json"
    warm = [deployed(4, 2), deployed(2, 1)]
    table = {"revision": 7, "endpoints": {NAME: {**now, "next_number": 7, "warm": warm}, "acme/other": now}}
    path.write_text(json.dumps(table))
    return path


def entry(routes: Path) -> dict[str, Any]:
    table = table_file.read(routes)
    assert table is not None
    return dict(table["endpoints"][NAME])


def test_the_latest_warm_deployment_before_answers_by_a_new_number_and_id(routes: Path) -> None:
    before = entry(routes)
    revision, words = go_back(routes, NAME, reason=" it burns ", by="root")
    now = entry(routes)
    assert revision == 8
    assert "wine 2 again, as in deployment 4, instead of deployment 5" in words
    assert [one["version"] for one in now["targets"]] == [2]
    assert now["deployment_number"] == 7
    assert now["deployment_id"] not in (before["deployment_id"], deployed(4, 2)["deployment_id"])
    assert (now["keys"], now["redact"]) == (before["keys"], ["shade"])
    assert "routing" not in now, "what is routed belongs to the deployment"
    told = now["rolled_back"]
    assert (told["to"], told["instead_of"]) == (deployed(4, 2)["deployment_id"], before["deployment_id"])
    assert (told["by"], told["reason"]) == ("root", "it burns")
    table = table_file.read(routes)
    assert table is not None
    assert table["endpoints"]["acme/other"]["deployment_number"] == 5
    assert not parse(routes.read_bytes()).troubles


def test_a_number_may_be_named_and_what_served_stays_warm_to_go_forward_again(routes: Path) -> None:
    go_back(routes, NAME, reason="worse", number=2)
    assert [one["version"] for one in entry(routes)["targets"]] == [1]
    go_back(routes, NAME, reason="better after all", number=5)
    now = entry(routes)
    assert ([one["version"] for one in now["targets"]], now["deployment_number"]) == ([3], 8)


def test_what_the_database_does_not_know_yet_stays_warm_as_what_it_repeats_and_is_told_of(routes: Path) -> None:
    go_back(routes, NAME, reason="first", by="root")
    first = entry(routes)
    go_back(routes, NAME, reason="second", number=2)
    second = entry(routes)
    assert second["warm"][0]["deployment_id"] == deployed(4, 2)["deployment_id"]
    go_back(routes, NAME, reason="third", number=7)
    third = entry(routes)["rolled_back"]
    assert third["to"] == deployed(4, 2)["deployment_id"]
    told = [(one["deployment_id"], one["to"], one["reason"]) for one in third["earlier"]]
    assert told == [
        (first["deployment_id"], deployed(4, 2)["deployment_id"], "first"),
        (second["deployment_id"], deployed(2, 1)["deployment_id"], "second"),
    ]
    assert not parse(routes.read_bytes()).troubles


@pytest.mark.parametrize(
    ("name", "reason", "number", "words"),
    [
        (NAME, " ", None, "needs a reason"),
        ("acme/none", "worse", None, "serves no endpoint 'acme/none'. It serves: acme/other, acme/wine"),
        ("acme/other", "worse", None, "warm are: none"),
        (NAME, "worse", 3, "warm are: 4, 2"),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_says_why(
    routes: Path, name: str, reason: str, number: int | None, words: str
) -> None:
    before = routes.read_bytes()
    with pytest.raises(CannotGoBack, match=words):
        go_back(routes, name, reason=reason, number=number)
    assert routes.read_bytes() == before


def test_the_command_says_when_no_gateway_has_taken_it_up(
    routes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.gateway.rollback.TAKEN_UP_SECONDS", 0.05)
    words = [NAME, "--routes", str(routes), "--reason", "worse"]
    assert main([*words, "--gateway", "http://127.0.0.1:9"]) == 2
    assert "does not answer by it" in capsys.readouterr().err
    assert main([NAME, "--routes", str(tmp_path / "none.json"), "--reason", "worse"]) == 1
    assert "Nothing was changed" in capsys.readouterr().err


def test_who_went_back_is_whom_the_system_knows_whatever_the_environment_says(
    routes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = pwd.getpwuid(os.getuid()).pw_name
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "mallory")
    monkeypatch.delenv("SUDO_USER", raising=False)
    go_back(routes, NAME, reason="it burns")
    assert entry(routes)["rolled_back"]["by"] == account
    monkeypatch.setenv("SUDO_USER", "ann\n")
    go_back(routes, NAME, reason="it burns")
    assert entry(routes)["rolled_back"]["by"] == f"{account}, by sudo of ann"
