"""The client that scripts import."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
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


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file in which a session keeps what is read."""
    monkeypatch.setenv("MODELWRIGHT_SESSION_ID", "abc")
    monkeypatch.setenv("MODELWRIGHT_SESSION_PRIVATE", str(tmp_path))
    return tmp_path / "reads"


def written(file: Path) -> list[tuple[str, str, str]]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [(one["connection"], one["kind"], one["what"]) for one in lines]


def test_a_session_keeps_which_files_of_a_directory_are_read(
    monkeypatch: pytest.MonkeyPatch, reads: Path, tmp_path: Path
) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "a.csv").write_text("1,2")
    known = {"lake": {"kind": "directory", "config": {"path": str(tmp_path / "lake")}, "secret": ""}}
    monkeypatch.setenv("MODELWRIGHT_CONNECTIONS", json.dumps(known))
    lake = client.connection("lake")
    with lake.open("a.csv") as file:
        assert file.read() == b"1,2"
    with pytest.raises(ValueError, match="not in the directory"):
        lake.open("../reads")
    with pytest.raises(LookupError, match="only postgresql"):
        lake.query("SELECT 1")
    assert written(reads) == [
        ("lake", "directory", ""),
        ("lake", "directory", "a.csv"),
        ("lake", "directory", "../reads"),
    ]
    # A script of a run, or on a laptop, keeps nothing.
    monkeypatch.delenv("MODELWRIGHT_SESSION_ID")
    lake.note("public.customers")
    assert len(written(reads)) == 3


@pytest.mark.django_db
def test_statements_read_and_change_nothing(monkeypatch: pytest.MonkeyPatch, reads: Path) -> None:
    values = settings.DATABASES["default"]
    config = {
        "host": values["HOST"],
        "port": values.get("PORT"),
        "database": values["NAME"],
        "username": values["USER"],
    }
    known = {"warehouse": {"kind": "postgresql", "config": config, "secret": values.get("PASSWORD", "")}}
    monkeypatch.setenv("MODELWRIGHT_CONNECTIONS", json.dumps(known))
    warehouse = client.connection("warehouse")
    assert warehouse.query("SELECT 1 AS one, %s::text AS two", ["x"]) == [{"one": 1, "two": "x"}]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        warehouse.query("CREATE TABLE public.should_not_be (id int)")
    with pytest.raises(LookupError, match="only directory and http"):
        warehouse.open("a.csv")
    assert [what for _, _, what in written(reads)][1:] == [
        "SELECT 1 AS one, %s::text AS two",
        "CREATE TABLE public.should_not_be (id int)",
    ]
