"""Blobs and manifests: what is stored stays what it was."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from modelwright.core.errors import Unavailable, ValidationFailed
from modelwright.storage import manifests
from modelwright.storage.local import LocalBlobs


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def test_a_blob_is_named_by_its_content_and_kept_once(store: LocalBlobs) -> None:
    first, second = store.put_bytes(b"churn"), store.put_bytes(b"churn")
    assert first == second
    assert first.sha256 == hashlib.sha256(b"churn").hexdigest()
    assert store.read(first.sha256) == b"churn"
    assert not list((store.root / "incoming").iterdir())


def test_a_changed_blob_is_found_when_it_is_verified(store: LocalBlobs) -> None:
    blob = store.put_bytes(b"churn")
    path = store.path(blob.sha256)
    path.chmod(0o644)
    path.write_bytes(b"CHURN")
    with pytest.raises(Unavailable, match="was changed"), store.open(blob.sha256, verify=True):
        pass
    with pytest.raises(Unavailable, match="was changed"):
        store.read(blob.sha256)


def test_a_missing_blob_says_so(store: LocalBlobs) -> None:
    with pytest.raises(Unavailable, match="missing"):
        store.read("0" * 64)


@pytest.mark.parametrize("digest", ["", "..", "../" * 20 + "x" * 4, "A" * 64, "0" * 63])
def test_what_is_no_digest_names_no_path(store: LocalBlobs, digest: str) -> None:
    with pytest.raises(ValidationFailed):
        store.path(digest)


def test_a_snapshot_survives_changes_to_the_folder(store: LocalBlobs, folder: Path, tmp_path: Path) -> None:
    digest, manifest = manifests.snapshot(store, folder)
    original = (folder / "data" / "model.pkl").read_bytes()
    (folder / "data" / "model.pkl").write_bytes(b"evil")
    target = manifests.checkout(store, digest, tmp_path / "out" / digest)
    assert (target / "data" / "model.pkl").read_bytes() == original
    assert [entry.path for entry in manifest.entries] == ["MLmodel", "data/model.pkl", "empty"]
    assert manifest.size == 3_000_000 + len("flavors: {}\n")


def test_equal_folders_have_equal_manifests(store: LocalBlobs, folder: Path) -> None:
    assert manifests.snapshot(store, folder)[0] == manifests.snapshot(store, folder)[0]


def test_a_checkout_shares_no_file_with_the_store(store: LocalBlobs, folder: Path, tmp_path: Path) -> None:
    digest, manifest = manifests.snapshot(store, folder)
    target = manifests.checkout(store, digest, tmp_path / "out")
    path = target / "data" / "model.pkl"
    path.chmod(0o644)
    path.write_bytes(b"evil")
    entry = manifest.find("data/model.pkl")
    assert entry is not None
    assert len(store.read(entry.sha256)) == 3_000_000


@pytest.mark.parametrize("damage", ["changed", "added", "removed"])
def test_a_damaged_checkout_is_made_anew(store: LocalBlobs, folder: Path, tmp_path: Path, damage: str) -> None:
    digest, manifest = manifests.snapshot(store, folder)
    target = manifests.checkout(store, digest, tmp_path / "out")
    path = target / "data" / "model.pkl"
    if damage == "changed":
        path.chmod(0o644)
        path.write_bytes(b"evil")
    elif damage == "added":
        (target / "sitecustomize.py").write_text("evil")
    else:
        path.unlink()
    assert not manifests.matches(manifest, target)
    manifests.checkout(store, digest, target)
    assert manifests.matches(manifest, target)


def test_symbolic_links_are_refused(store: LocalBlobs, folder: Path) -> None:
    (folder / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(ValidationFailed):
        manifests.snapshot(store, folder)


def test_linked_folders_are_refused(store: LocalBlobs, folder: Path) -> None:
    (folder / "etc").symlink_to("/etc")
    with pytest.raises(ValidationFailed, match="symbolic link"):
        manifests.snapshot(store, folder)


def test_pipes_are_refused_without_waiting(store: LocalBlobs, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(ValidationFailed, match="not a plain file"):
        manifests.snapshot(store, folder)


def test_a_forged_manifest_cannot_write_outside(store: LocalBlobs, tmp_path: Path) -> None:
    evil = store.put_bytes(b"evil")
    manifest = manifests.Manifest((manifests.Entry("../evil", evil.size, evil.sha256),))
    digest = store.put_bytes(manifest.content).sha256
    with pytest.raises(ValidationFailed, match="out of the folder"):
        manifests.checkout(store, digest, tmp_path / "out" / "model")
    assert not (tmp_path / "out").exists()
