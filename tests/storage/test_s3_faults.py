"""A bucket that lies, refuses, is cut off or dies: nothing wrong is ever read, nothing half is ever there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwright.core.errors import Unavailable
from modelwright.storage.address import Keys
from modelwright.storage.blobs import BlobStore
from modelwright.storage.cache import sweep
from modelwright.storage.s3 import S3Blobs
from tests.storage.s3_server import MIB, Cable, S3Server

CONTENT = os.urandom(12 * MIB)


@pytest.fixture
def blobs(server: S3Server, bucket: str, tmp_path: Path) -> S3Blobs:
    return server.store(bucket, tmp_path / "cache")


def replace(server: S3Server, bucket: str, sha256: str, content: bytes) -> None:
    server.client().put_object(Bucket=bucket, Key=f"mw/{sha256[:2]}/{sha256[2:]}", Body=content)


def assert_never_read(blobs: BlobStore, sha256: str, says: str) -> None:
    for read in (blobs.read, blobs.verify, blobs.local_copy):
        with pytest.raises(Unavailable, match=says):
            read(sha256)
    with pytest.raises(Unavailable, match=says), blobs.open(sha256):
        pass


@pytest.mark.parametrize("damaged", [b"chur", b"CHURN", b"", b"churn and more"])
def test_a_truncated_or_wrong_object_is_never_read(
    server: S3Server, bucket: str, blobs: S3Blobs, damaged: bytes
) -> None:
    blob = blobs.put_bytes(b"churn")
    replace(server, bucket, blob.sha256, damaged)
    assert_never_read(blobs, blob.sha256, "was changed after it was stored")


def test_putting_again_mends_a_truncated_object(server: S3Server, bucket: str, blobs: S3Blobs) -> None:
    blob = blobs.put_bytes(b"churn")
    replace(server, bucket, blob.sha256, b"chu")
    blobs.put_bytes(b"churn")
    assert blobs.read(blob.sha256) == b"churn"


def test_a_damaged_copy_on_this_host_is_fetched_again(blobs: S3Blobs) -> None:
    blob = blobs.put_bytes(b"churn")
    path = blobs.local_copy(blob.sha256)
    path.chmod(0o644)
    path.write_bytes(b"CHURN")
    assert blobs.read(blob.sha256) == b"churn"


def test_a_missing_bucket_is_told_from_a_missing_blob(server: S3Server, tmp_path: Path) -> None:
    blobs = server.store("no-such-bucket", tmp_path / "cache")
    for attempt in (lambda: blobs.has("0" * 64), lambda: blobs.put_bytes(b"x"), lambda: list(blobs.blobs())):
        with pytest.raises(Unavailable, match="There is no bucket 'no-such-bucket'") as error:
            attempt()
        assert "MODELWRIGHT_BLOBS" in error.value.remedy


@pytest.mark.parametrize("wrong", ["key", "secret", "none"])
def test_wrong_credentials_are_named(
    server: S3Server, bucket: str, tmp_path: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    keys = {"key": Keys("AKIANOBODY", "x"), "secret": Keys(server.keys.access_key, "guessed"), "none": None}[wrong]
    blobs = server.store(bucket, tmp_path / "cache", keys=keys)
    for attempt in (lambda: blobs.has("0" * 64), lambda: blobs.read("0" * 64), lambda: blobs.put_bytes(b"x")):
        with pytest.raises(Unavailable, match="credentials") as error:
            attempt()
        assert "MODELWRIGHT_BLOBS_CREDENTIALS_FILE" in error.value.remedy
        assert "guessed" not in error.value.message


@pytest.fixture
def sending(server: S3Server) -> Iterator[Cable]:
    cable = Cable(server.endpoint, sent_limit=7 * MIB)
    yield cable
    cable.close()


@pytest.fixture
def receiving(server: S3Server) -> Iterator[Cable]:
    cable = Cable(server.endpoint, received_limit=7 * MIB)
    yield cable
    cable.close()


def test_what_was_cut_off_while_it_was_put_is_not_there(
    server: S3Server, bucket: str, blobs: S3Blobs, sending: Cable, tmp_path: Path
) -> None:
    far = server.store(bucket, tmp_path / "far", endpoint=sending.endpoint)
    with pytest.raises(Unavailable, match="cannot be reached") as error:
        far.put_bytes(CONTENT)
    assert sending.endpoint in error.value.message
    assert list(blobs.blobs()) == []
    sending.mend()
    assert blobs.read(far.put_bytes(CONTENT).sha256) == CONTENT


def test_what_was_cut_off_while_it_was_read_is_not_kept(
    server: S3Server, bucket: str, blobs: S3Blobs, receiving: Cable, tmp_path: Path
) -> None:
    blob = blobs.put_bytes(CONTENT)
    far = server.store(bucket, tmp_path / "far", endpoint=receiving.endpoint)
    with pytest.raises(Unavailable, match="cannot be reached"):
        far.local_copy(blob.sha256)
    assert not [path for path in (tmp_path / "far").rglob("*") if path.is_file()]
    receiving.mend()
    assert far.local_copy(blob.sha256).read_bytes() == CONTENT


def test_a_server_that_is_killed_during_a_put_is_named_and_the_put_can_be_repeated(tmp_path: Path) -> None:
    server = S3Server(tmp_path)
    server.start()
    try:
        server.client().create_bucket(Bucket="blobs")
        cable = Cable(server.endpoint, sent_limit=7 * MIB)
        near = server.store("blobs", tmp_path / "cache", endpoint=cable.endpoint)
        killer = threading.Thread(target=_kill_when_cut, args=(cable, server))
        killer.start()
        with pytest.raises(Unavailable, match="cannot be reached"):
            near.put_bytes(CONTENT)
        killer.join()
        with pytest.raises(Unavailable, match=r"blobs in s3://blobs/mw/ at http://127.*cannot be reached") as error:
            server.store("blobs", tmp_path / "cache").has("0" * 64)
        assert "Check that the store runs" in error.value.remedy
        server.start()
        server.client().create_bucket(Bucket="blobs")
        store = server.store("blobs", tmp_path / "cache")
        assert store.read(store.put_bytes(CONTENT).sha256) == CONTENT
        cable.close()
    finally:
        server.kill()


def _kill_when_cut(cable: Cable, server: S3Server) -> None:
    while not cable.is_cut:
        time.sleep(0.01)
    server.kill()


def test_copies_keep_to_their_bound_and_the_latest_stay(blobs: S3Blobs, tmp_path: Path) -> None:
    paths = [blobs.local_copy(blobs.put_bytes(os.urandom(1000)).sha256) for _ in range(10)]
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (0, path.stat().st_mtime - age * 1000))
    sweep(tmp_path / "cache", 5000, kept_seconds=3600)
    assert [path.exists() for path in paths] == [False] * 5 + [True] * 5
    sweep(tmp_path / "cache", 0, kept_seconds=3600)
    assert [path.exists() for path in paths] == [False] * 6 + [True] * 4
