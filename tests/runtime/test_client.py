"""The client that scripts import."""

from __future__ import annotations

import json

import pytest
from modelwright_runtime import client


def test_outside_a_run_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODELWRIGHT_RUN_ID", "MODELWRIGHT_PARAMETERS", "MODELWRIGHT_CONNECTIONS"):
        monkeypatch.delenv(name, raising=False)
    assert client.current_run() is None
    assert client.parameters() == {}
    with pytest.raises(LookupError, match="none"):
        client.connection("warehouse")


def test_a_run_knows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWRIGHT_RUN_ID", "abc")
    monkeypatch.setenv("MODELWRIGHT_RUN_NUMBER", "7")
    monkeypatch.setenv("MODELWRIGHT_PROJECT", "churn")
    monkeypatch.setenv("MODELWRIGHT_PARAMETERS", '{"depth": 3, "fast": true}')
    run = client.current_run()
    assert run is not None
    assert (run.id, run.number, run.project) == ("abc", 7, "churn")
    assert run.parameters == {"depth": 3, "fast": True}


def test_a_connection_hides_its_secret_from_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"warehouse": {"kind": "postgresql", "config": {"host": "db"}, "secret": "hidden"}}
    monkeypatch.setenv("MODELWRIGHT_CONNECTIONS", json.dumps(known))
    found = client.connection("warehouse")
    assert found.config["host"] == "db"
    assert found.secret == "hidden"
    assert "hidden" not in repr(found)
    with pytest.raises(LookupError, match="warehouse"):
        client.connection("lake")
