"""Models come from the blob store to a host's disk, once, and what was verified is not read again."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_django import Settings

from modelwright.compute import fetching
from modelwright.compute.backends.base import UnavailableError
from modelwright.compute.fetching import archive_source, fetch_model
from modelwright.core.errors import Unavailable
from modelwright.storage import manifests
from modelwright.storage.settings import blob_store, models_folder

from .backends_support import wait_until


@pytest.fixture
def digest(data: Path) -> str:
    """A stored model of two files."""
    folder = data / "logged"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "data" / "model.pkl").write_bytes(b"weights")
    return manifests.snapshot(blob_store(), folder)[0]


def break_store(digest: str) -> None:
    """After this only what lies on the host's disk can be had."""
    os.rename(models_folder().parent / "blobs", models_folder().parent / "blobs-away")


def test_a_model_is_copied_read_only_and_then_taken_as_it_is(digest: str) -> None:
    folder = fetch_model(digest)
    assert folder == models_folder() / digest
    assert (folder / "data" / "model.pkl").read_bytes() == b"weights"
    assert (folder / "MLmodel").stat().st_mode & 0o222 == 0
    break_store(digest)
    assert fetch_model(digest) == folder


@pytest.mark.parametrize("change", ["content", "more", "less"])
def test_a_copy_that_was_touched_is_verified_and_made_again(digest: str, change: str) -> None:
    folder = fetch_model(digest)
    file = folder / "data" / "model.pkl"
    before = file.stat()
    if change == "content":
        file.chmod(0o644)
        file.write_bytes(b"forgery")
        file.chmod(0o444)
        # Same size and same times; the file system knows better.
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "more":
        (folder / "data" / "extra.py").write_text("evil")
    else:
        file.unlink()
    assert fetch_model(digest) == folder
    assert file.read_bytes() == b"weights"
    assert not (folder / "data" / "extra.py").exists()


def test_a_copy_of_an_earlier_version_is_verified_once(digest: str) -> None:
    folder = manifests.checkout(blob_store(), digest, models_folder() / digest)
    inode = (folder / "MLmodel").stat().st_ino
    fetch_model(digest)
    break_store(digest)
    assert (fetch_model(digest) / "MLmodel").stat().st_ino == inode


def test_a_damaged_or_missing_model_is_refused(digest: str) -> None:
    with pytest.raises(Unavailable, match="missing"):
        fetch_model("0" * 64)
    manifest = manifests.load(blob_store(), digest)
    path = models_folder().parent / "blobs" / manifest.entries[1].sha256[:2] / manifest.entries[1].sha256[2:]
    path.chmod(0o644)
    path.write_bytes(b"forgery")
    with pytest.raises(Unavailable, match="changed"):
        fetch_model(digest)
    assert not (models_folder() / digest).exists()


def test_a_store_that_does_not_answer_is_worth_another_try(digest: str, settings: Settings) -> None:
    settings.BLOBS = "s3://bucket/prefix?endpoint=http://127.0.0.1:1"
    with pytest.raises(UnavailableError):
        fetch_model(digest)
    with pytest.raises(UnavailableError):
        archive_source("0" * 64)


def test_who_comes_while_it_is_copied_is_told_to_come_again(digest: str) -> None:
    models_folder().mkdir()
    with (models_folder() / f".{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UnavailableError, match="being copied"):
            fetch_model(digest)
    assert fetch_model(digest).is_dir()


def test_a_large_model_is_copied_beside_the_caller(digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "INLINE_BYTES", 5)

    def there() -> bool:
        try:
            return fetch_model(digest).is_dir()
        except UnavailableError:
            return False

    assert not there()
    wait_until(there, what="the copy")


def test_a_large_model_that_cannot_be_copied_is_refused_and_not_copied_for_ever(
    digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "INLINE_BYTES", 5)
    store = blob_store()
    store.delete(manifests.load(store, digest).entries[0].sha256)

    def refused() -> bool:
        try:
            fetch_model(digest)
        except UnavailableError:
            return False
        except Unavailable:
            return True
        raise AssertionError("it was copied")

    wait_until(refused, what="the refusal")


def test_many_at_once_end_with_one_whole_copy(digest: str) -> None:
    def fetch(_: int) -> bool:
        try:
            return (fetch_model(digest) / "data" / "model.pkl").read_bytes() == b"weights"
        except UnavailableError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert any(pool.map(fetch, range(16)))
    assert {path.name for path in models_folder().iterdir() if not path.name.startswith(".")} == {digest}
    assert not [path for path in models_folder().iterdir() if path.name.startswith(f".{digest[:16]}-")]
