"""Health tells whether the store of blobs can be used, however it fails, and soon."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest
from django.test import Client

from modelwright.core.errors import Unavailable
from modelwright.observability import health
from modelwright.storage import probing
from modelwright.storage.address import Keys
from modelwright.storage.blobs import BlobStore
from modelwright.storage.local import LocalBlobs
from modelwright.storage.probing import Probe
from tests.storage.s3_server import S3Server


@pytest.fixture
def always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "FRESH_SECONDS", 0.0)


def test_a_folder_that_takes_no_files_is_told(
    tmp_path: Path, always_asked: None, caplog: pytest.LogCaptureFixture
) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    probe = Probe(lambda: blobs)
    assert probe.fault() == ""
    shutil.rmtree(blobs.root)
    assert probe.fault() == probe.fault() == "cannot be used; the log of this process says why"
    assert [record.getMessage().count(str(blobs.root)) for record in caplog.records] == [1]
    (blobs.root / "incoming").mkdir(parents=True)
    assert probe.fault() == ""
    assert list((blobs.root / "incoming").iterdir()) == []


def test_it_is_asked_seldom(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    probe = Probe(lambda: blobs)
    assert probe.fault() == ""
    shutil.rmtree(blobs.root)
    assert probe.fault() == ""


def test_a_store_that_hangs_holds_up_nobody_for_long_and_has_one_thread(
    monkeypatch: pytest.MonkeyPatch, always_asked: None, tmp_path: Path
) -> None:
    monkeypatch.setattr(probing, "PATIENCE_SECONDS", 0.2)
    answers, asked = threading.Event(), []

    def hanging() -> BlobStore:
        asked.append(1)
        answers.wait(60)
        return LocalBlobs(tmp_path / "blobs")

    probe = Probe(hanging)
    began = time.monotonic()
    assert [probe.fault() for _ in range(3)] == ["does not answer"] * 3
    assert time.monotonic() - began < 30
    assert len(asked) == 1
    answers.set()
    monkeypatch.setattr(probing, "PATIENCE_SECONDS", 30)
    assert probe.fault() == ""


def test_a_bucket_that_is_gone_refuses_or_is_dead_fails_the_check_soon(
    server: S3Server, bucket: str, tmp_path: Path
) -> None:
    server.store(bucket, tmp_path / "cache").check()
    with pytest.raises(Unavailable, match="no bucket 'none-such'"):
        server.store("none-such", tmp_path / "cache").check()
    with pytest.raises(Unavailable, match="refuse this installation's credentials"):
        server.store(bucket, tmp_path / "cache", keys=Keys(server.keys.access_key, "guessed")).check()
    with pytest.raises(Unavailable, match="cannot be reached"):
        server.store(bucket, tmp_path / "cache", endpoint="http://127.0.0.1:9").check()


@pytest.mark.django_db
def test_pages_are_ready_but_degraded_without_the_blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().get("/health/ready").json()["checks"]["blobs"] == "ok"
    blobs = LocalBlobs(tmp_path / "blobs")
    shutil.rmtree(blobs.root)
    monkeypatch.setitem(health._WANTED, "blobs", Probe(lambda: blobs).fault)
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert str(tmp_path) not in answer.content.decode()
