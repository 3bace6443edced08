"""Backups: of two real databases and a data directory, and what a restore refuses."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from modelwright import __version__
from modelwright.local.backups import commands, databases, embedded, making, restoring
from modelwright.local.backups.manifest import Unreadable, read
from modelwright.local.backups.objects import Damaged, Objects
from modelwright.local.backups.places import MLFLOW, PLATFORM, Places
from modelwright.local.layout import REPOSITORY, Layout
from modelwright.storage.local import LocalBlobs

MakePlaces = Callable[[str], Places]
BLOB = b"what a model is made of"


def drop(connection: psycopg.Connection[Any], database: str, tries: int = 50) -> None:
    """Drop the database. The server's own vacuum may be in it, which only a superuser may end, so it is waited for."""
    for left in reversed(range(tries)):
        try:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
            return
        except psycopg.errors.InsufficientPrivilege:
            if not left:
                raise
            time.sleep(0.2)


@pytest.fixture
def make_places(tmp_path: Path) -> Iterator[MakePlaces]:
    """An installation with empty databases of its own on the tests' server: `make_places("first")`."""
    server = os.environ["DATABASE_URL"]
    made: list[str] = []

    def make(name: str) -> Places:
        urls = {}
        for role in (MLFLOW, PLATFORM):
            database = f"backup_{uuid.uuid4().hex[:12]}"
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
            made.append(database)
            urls[role] = urlunsplit(urlsplit(server)._replace(path=f"/{database}"))
        data = tmp_path / name
        return Places(data, urls, data / "secrets" / "secret-key")

    yield make
    with psycopg.connect(server, autocommit=True) as connection:
        for database in made:
            drop(connection, database)


@pytest.fixture
def filled(make_places: MakePlaces) -> Places:
    """An installation with something in each of its places."""
    places = make_places("first")
    for name, content in {
        "secrets/secret-key": "the key",
        "gateway/spool/g-0000000001.spool": "waiting",
        "repositories/p.git/HEAD": "ref: refs/heads/main",
        "repositories/p.git/objects/ab/cd": "object",
        "mlflow/artifacts/1/model.txt": "model",
        "logs/web.log": "not kept",
    }.items():
        (places.data / name).parent.mkdir(parents=True, exist_ok=True)
        (places.data / name).write_text(content)
    (places.data / "repositories/p.git/refs").mkdir()
    LocalBlobs(places.data / "blobs").put_bytes(BLOB)
    for role, url in places.urls.items():
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE things (name text PRIMARY KEY)")
            connection.execute("INSERT INTO things VALUES (%s)", [f"of {role}\\.\nSET transaction_timeout = 0;\n"])
    return places


def rows(places: Places) -> dict[str, list[str]]:
    found = {}
    for role, url in places.urls.items():
        with psycopg.connect(url) as connection:
            found[role] = [str(row[0]) for row in connection.execute("SELECT name FROM things ORDER BY 1")]
    return found


def files(places: Places) -> dict[str, bytes]:
    return {
        path.relative_to(places.data).as_posix(): path.read_bytes() for path in places.data.rglob("*") if path.is_file()
    }


def test_what_is_restored_is_what_was_backed_up(filled: Places, make_places: MakePlaces, tmp_path: Path) -> None:
    manifest = making.make(filled, tmp_path / "backups", print)
    fresh = make_places("second")

    commands.restore(fresh, manifest)

    assert rows(fresh) == rows(filled)
    left_out = {"logs/web.log", "gateway/.backup.lock"}
    assert files(fresh) == {name: content for name, content in files(filled).items() if name not in left_out}
    assert (fresh.data / "repositories/p.git/refs").is_dir()
    assert (fresh.data / "secrets/secret-key").stat().st_mode & 0o777 == 0o644
    assert read(manifest).version == __version__


def test_blobs_may_have_a_folder_of_their_own_and_a_bucket_is_left_out(
    filled: Places, make_places: MakePlaces, tmp_path: Path
) -> None:
    manifest = making.make(filled, tmp_path / "backups", print)
    fresh = make_places("second")
    elsewhere = Places(fresh.data, fresh.urls, fresh.secret_key, f"file://{tmp_path}/elsewhere")
    commands.restore(elsewhere, manifest)
    assert [path.read_bytes() for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()] == [BLOB]
    assert not (fresh.data / "blobs").exists()

    bucket = Places(filled.data, filled.urls, filled.secret_key, "s3://models?region=x")
    left_out = read(making.make(bucket, tmp_path / "others", print))
    assert left_out.blobs == "s3://models?region=x"
    assert not [entry for entry in left_out.files if entry.path.startswith("blobs/")]


def test_a_second_backup_keeps_only_what_is_new(filled: Places, tmp_path: Path) -> None:
    first = making.make(filled, tmp_path / "backups", print)
    kept = {path for path in (tmp_path / "backups" / "objects").rglob("*") if path.is_file()}
    (filled.data / "mlflow/artifacts/1/new.txt").write_text("new")
    first.rename(first.with_name("first.json"))
    second = making.make(filled, tmp_path / "backups", print)

    new = {path for path in (tmp_path / "backups" / "objects").rglob("*") if path.is_file()} - kept
    # The new file; a dump may differ from one to the next.
    assert 1 <= len(new) <= 3
    assert {entry.path for entry in read(second).files} - {
        entry.path for entry in read(first.with_name("first.json")).files
    } == {"mlflow/artifacts/1/new.txt"}


def test_predictions_that_are_shipped_meanwhile_are_in_the_backup(
    filled: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = filled.data / "gateway/spool/g-0000000001.spool"
    dump = databases.dump

    def ship(url: str, snapshot: str, target: Path) -> None:
        with segment.open("a") if segment.exists() else open(os.devnull, "a") as file:
            file.write(" and more")
        segment.unlink(missing_ok=True)
        dump(url, snapshot, target)

    monkeypatch.setattr(databases, "dump", ship)
    manifest = making.make(filled, tmp_path / "backups", print)
    entry = read(manifest).find("gateway/spool/g-0000000001.spool")
    assert entry is not None
    assert Objects(tmp_path / "backups" / "objects").path(entry.sha256).read_text() == "waiting and more"
    assert not (filled.data / making.HELD_SPOOL).exists()


def test_a_row_that_comes_later_than_the_snapshot_is_not_in_it_but_its_file_may_be(
    filled: Places, make_places: MakePlaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = databases.dump

    def write_meanwhile(url: str, snapshot: str, target: Path) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO things VALUES ('later')")
        dump(url, snapshot, target)

    before = rows(filled)
    monkeypatch.setattr(databases, "dump", write_meanwhile)
    manifest = making.make(filled, tmp_path / "backups", print)
    fresh = make_places("second")
    commands.restore(fresh, manifest)
    assert rows(fresh) == before


def test_an_installation_that_is_there_is_never_overwritten(filled: Places, tmp_path: Path) -> None:
    manifest = making.make(filled, tmp_path / "backups", print)
    before = files(filled)
    with pytest.raises(restoring.Refused, match="holds an installation already"):
        commands.restore(filled, manifest)
    assert files(filled) == before


def test_databases_with_tables_are_never_overwritten(filled: Places, make_places: MakePlaces, tmp_path: Path) -> None:
    manifest = making.make(filled, tmp_path / "backups", print)
    fresh = make_places("second")
    with psycopg.connect(fresh.urls[MLFLOW]) as connection:
        connection.execute("CREATE TABLE precious ()")
    with pytest.raises(restoring.Refused, match="holds tables already"):
        commands.restore(fresh, manifest)
    assert not fresh.data.exists()


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(
    filled: Places, make_places: MakePlaces, tmp_path: Path, damage: str
) -> None:
    manifest = making.make(filled, tmp_path / "backups", print)
    victim = next(path for path in (tmp_path / "backups" / "objects").rglob("*") if path.is_file())
    if damage == "gone":
        victim.unlink()
    else:
        victim.chmod(0o600)
        victim.write_bytes(b"x" * victim.stat().st_size)
    fresh = make_places("second")
    with pytest.raises(Damaged, match=victim.name):
        commands.restore(fresh, manifest)
    assert not fresh.data.exists()
    assert databases.is_empty(fresh.urls[PLATFORM])


def test_a_blob_that_was_changed_in_the_installation_is_told(filled: Places, tmp_path: Path) -> None:
    blob = next(path for path in (filled.data / "blobs").rglob("*") if path.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"y" * len(BLOB))
    with pytest.raises(Damaged, match="was changed after it was stored"):
        making.make(filled, tmp_path / "backups", print)
    assert not list((tmp_path / "backups").glob("*.json"))


def test_a_secret_key_that_stands_elsewhere_must_be_the_backups(
    filled: Places, make_places: MakePlaces, tmp_path: Path
) -> None:
    (filled.data / "secrets/receipt-key.pem").write_text("signs receipts")
    manifest = making.make(filled, tmp_path / "backups", print)
    fresh = make_places("second")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("another key")
    outside = Places(fresh.data, fresh.urls, elsewhere)
    with pytest.raises(restoring.Refused, match="is not the key"):
        commands.restore(outside, manifest)
    elsewhere.write_text("the key")
    commands.restore(outside, manifest)
    # What signs receipts is the platform's own, wherever the other secrets are.
    assert [path.name for path in (outside.data / "secrets").iterdir()] == ["receipt-key.pem"]


def test_two_backups_at_once_are_refused(filled: Places, tmp_path: Path) -> None:
    with making.held_spool(filled.data), pytest.raises(making.UnderWay):
        making.make(filled, tmp_path / "backups", print)


def test_a_manifest_that_leads_elsewhere_is_refused(filled: Places, tmp_path: Path) -> None:
    path = making.make(filled, tmp_path / "backups", print)
    content = json.loads(path.read_text())
    content["files"][0]["path"] = "../outside"
    path.write_text(json.dumps(content))
    with pytest.raises(Unreadable, match="leads out of"):
        read(path)


def test_a_backup_of_a_newer_release_is_refused(filled: Places, make_places: MakePlaces, tmp_path: Path) -> None:
    path = making.make(filled, tmp_path / "backups", print)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "version": "999.0.0"}))
    with pytest.raises(restoring.Refused, match=r"release 999\.0\.0"):
        commands.restore(make_places("second"), path)


def test_a_check_reads_everything_and_changes_nothing(filled: Places, tmp_path: Path) -> None:
    manifest = making.make(filled, tmp_path / "backups", print)
    layout = Layout(tmp_path / "fresh")
    embedded.restore(layout, manifest, only_check=True)
    assert not layout.data.exists()
    next(path for path in (tmp_path / "backups" / "objects").rglob("*") if path.is_file()).unlink()
    with pytest.raises(Damaged):
        embedded.restore(layout, manifest, only_check=True)


def test_what_is_no_installation_cannot_be_backed_up(tmp_path: Path) -> None:
    with pytest.raises(restoring.Refused, match="no installation"):
        embedded.backup(Layout(tmp_path / "nothing"), tmp_path / "backups")
    assert not (tmp_path / "nothing").exists()


def test_the_release_is_the_one_of_the_distribution() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    assert f'\nversion = "{__version__}"\n' in text
