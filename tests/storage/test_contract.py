"""What every store of blobs promises."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from modelwright.core.errors import Unavailable, ValidationFailed
from modelwright.storage import manifests
from modelwright.storage.blobs import Blob, BlobStore
from tests.storage.s3_server import MIB, PART_BYTES

ABSENT = "0" * 64


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [0, 1, MIB, PART_BYTES, 2 * PART_BYTES + 1])
def test_what_is_put_is_read_back(store: BlobStore, size: int) -> None:
    content = os.urandom(size)
    blob = store.put_bytes(content)
    assert blob == Blob(digest(content), size)
    assert store.has(blob.sha256)
    assert store.size(blob.sha256) == store.verify(blob.sha256) == size
    assert store.read(blob.sha256) == content
    assert store.local_copy(blob.sha256).read_bytes() == content


def test_putting_twice_keeps_one(store: BlobStore) -> None:
    assert store.put_bytes(b"churn") == store.put_stream(io.BytesIO(b"churn"))
    assert list(store.blobs()) == [Blob(digest(b"churn"), 5)]


def test_a_stream_is_stored_from_where_it_stands(store: BlobStore) -> None:
    stream = io.BytesIO(b"head and body")
    stream.seek(9)
    assert store.put_stream(stream).sha256 == digest(b"body")


def test_an_open_blob_can_be_read_twice_and_from_the_middle(store: BlobStore) -> None:
    blob = store.put_bytes(b"0123456789")
    for _ in range(2):
        with store.open(blob.sha256) as file:
            assert file.read(4) == b"0123"
            file.seek(8)
            assert file.read() == b"89"


def test_a_local_copy_is_read_only_and_stays_the_same(store: BlobStore) -> None:
    blob = store.put_bytes(b"churn")
    path = store.local_copy(blob.sha256)
    assert path.stat().st_mode & 0o222 == 0
    assert store.local_copy(blob.sha256) == path
    with store.open(blob.sha256, verify=True) as file:
        assert file.read() == b"churn"


def test_a_file_is_put_as_it_is_and_a_link_is_refused(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"churn")
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    assert store.put_file(tmp_path / "plain").sha256 == digest(b"churn")
    with pytest.raises(ValidationFailed):
        store.put_file(tmp_path / "link")


def test_a_check_leaves_nothing(store: BlobStore) -> None:
    store.check()
    assert list(store.blobs()) == []


def test_what_is_missing_says_so(store: BlobStore) -> None:
    store.put_bytes(b"another")
    assert not store.has(ABSENT)
    for read in (store.size, store.verify, store.read, store.local_copy):
        with pytest.raises(Unavailable, match="missing in") as error:
            read(ABSENT)
        assert store.address in error.value.message
        assert "backup" in error.value.remedy
    with pytest.raises(Unavailable, match="missing in"), store.open(ABSENT):
        pass


def test_a_deleted_blob_is_gone(store: BlobStore) -> None:
    blob = store.put_bytes(b"churn")
    store.read(blob.sha256)
    store.delete(blob.sha256)
    store.delete(blob.sha256)
    assert not store.has(blob.sha256)
    with pytest.raises(Unavailable):
        store.local_copy(blob.sha256)


def test_all_blobs_are_listed_in_order(store: BlobStore) -> None:
    put = {store.put_bytes(str(number).encode()) for number in range(30)}
    assert list(store.blobs()) == sorted(put, key=lambda blob: blob.sha256)


@pytest.mark.parametrize("name", ["", "..", "../" * 20 + "x" * 4, "A" * 64, "0" * 63])
def test_what_is_no_digest_is_refused(store: BlobStore, name: str) -> None:
    for method in (store.has, store.size, store.verify, store.read, store.local_copy, store.delete):
        with pytest.raises(ValidationFailed):
            method(name)


def test_a_folder_becomes_a_manifest_and_a_folder_again(store: BlobStore, folder: Path, tmp_path: Path) -> None:
    name, manifest = manifests.snapshot(store, folder)
    assert manifests.load(store, name) == manifest
    target = manifests.checkout(store, name, tmp_path / "checkouts" / name)
    assert manifests.matches(manifest, target)
