"""`manage.py copy_blobs`, and what an address says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from modelwright.core.errors import ValidationFailed
from modelwright.storage.address import Bucket, parse, read_keys
from modelwright.storage.copying import copy_blobs
from modelwright.storage.local import LocalBlobs
from modelwright.storage.s3 import S3Blobs
from modelwright.storage.settings import blob_store
from tests.storage.s3_server import S3Server


@pytest.fixture
def full(tmp_path: Path) -> LocalBlobs:
    store = LocalBlobs(tmp_path / "full")
    for number in range(100):
        store.put_bytes(os.urandom(number))
    return store


def damage(store: LocalBlobs, sha256: str) -> None:
    path = store.path(sha256)
    path.chmod(0o644)
    path.write_bytes(bytes(path.stat().st_size))


def test_all_is_copied_there_and_back(full: LocalBlobs, server: S3Server, bucket: str, tmp_path: Path) -> None:
    far, back = server.store(bucket, tmp_path / "cache"), LocalBlobs(tmp_path / "back")
    assert copy_blobs(full, far).copied == 100
    assert copy_blobs(far, back, check=True).copied == 100
    assert list(full.blobs()) == list(far.blobs()) == list(back.blobs())


def test_a_copy_goes_on_where_it_stopped(full: LocalBlobs, tmp_path: Path) -> None:
    target = LocalBlobs(tmp_path / "target")
    copied = list(full.blobs())[:40]
    for blob in copied:
        target.put_bytes(full.read(blob.sha256))
    result = copy_blobs(full, target)
    assert (result.copied, result.there_already, result.problems) == (60, 40, [])


def test_a_damaged_blob_is_named_and_the_others_are_copied(full: LocalBlobs, tmp_path: Path) -> None:
    blob = max(full.blobs(), key=lambda blob: blob.size)
    damage(full, blob.sha256)
    target = LocalBlobs(tmp_path / "target")
    result = copy_blobs(full, target)
    assert result.copied == 99
    assert len(result.problems) == 1
    assert blob.sha256 in result.problems[0]
    assert not target.has(blob.sha256)


def test_checking_mends_what_is_damaged_in_the_target(full: LocalBlobs, tmp_path: Path) -> None:
    target = LocalBlobs(tmp_path / "target")
    copy_blobs(full, target)
    blob = max(full.blobs(), key=lambda blob: blob.size)
    damage(target, blob.sha256)
    assert copy_blobs(full, target).copied == 0
    assert copy_blobs(full, target, check=True).copied == 1
    assert target.verify(blob.sha256) == blob.size


def test_the_command_moves_an_installation_to_a_bucket(
    full: LocalBlobs, server: S3Server, bucket: str, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(
        f"[default]\naws_access_key_id = {server.keys.access_key}\naws_secret_access_key={server.keys.secret_key}\n"
    )
    settings.DATA_DIR, settings.BLOBS, settings.BLOBS_CREDENTIALS_FILE = tmp_path, str(full.root), str(keys)
    address = f"s3://{bucket}/blobs?endpoint={server.endpoint}"
    call_command("copy_blobs", to=address)
    call_command("copy_blobs", to=address)
    assert "0 copied (0 bytes), 100 were there already." in capsys.readouterr().out
    settings.BLOBS = address
    moved = blob_store()
    assert isinstance(moved, S3Blobs)
    assert moved is blob_store()
    assert list(moved.blobs()) == list(full.blobs())
    assert server.keys.secret_key not in repr(moved.__dict__)


def test_the_command_fails_where_the_bucket_is_missing(
    full: LocalBlobs, server: S3Server, tmp_path: Path, settings: Any
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"aws_access_key_id={server.keys.access_key}\naws_secret_access_key={server.keys.secret_key}\n")
    settings.DATA_DIR, settings.BLOBS = tmp_path, str(full.root)
    with pytest.raises(CommandError, match="There is no bucket"):
        call_command("copy_blobs", to=f"s3://absent/?endpoint={server.endpoint}", credentials=str(keys))


def test_addresses() -> None:
    here = Path("/data/blobs")
    assert parse("", here) == here
    assert parse("/mnt/blobs", here) == Path("/mnt/blobs")
    assert parse("s3://models", here) == Bucket("models")
    assert parse("s3://models/a/b/?endpoint=http://10.0.0.5:9000/&region=eu", here) == Bucket(
        "models", "a/b/", "http://10.0.0.5:9000", "eu"
    )


@pytest.mark.parametrize(
    "address",
    ["blobs", "s3://", "s3://AB/", "s3://key:secret@models/", "s3://models?endpoint=ftp://x", "s3://models?retries=9"],
)
def test_a_malformed_address_says_the_form(address: str) -> None:
    with pytest.raises(ValidationFailed) as error:
        parse(address, Path("/data"))
    assert "s3://bucket/prefix" in error.value.remedy


def test_the_platform_does_not_start_with_an_address_that_names_no_place(settings: Any) -> None:
    settings.BLOBS = "s3://"
    with pytest.raises(ImproperlyConfigured, match=r"MODELWRIGHT_BLOBS: .*s3://bucket/prefix"):
        apps.get_app_config("storage").ready()


def test_keys_that_cannot_be_read_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match="cannot be read"):
        read_keys(tmp_path / "absent")
    (tmp_path / "empty").touch()
    assert read_keys(tmp_path / "empty") is None
    (tmp_path / "half").write_text("aws_access_key_id = me\n")
    with pytest.raises(ValidationFailed, match="holds no aws_secret_access_key"):
        read_keys(tmp_path / "half")
