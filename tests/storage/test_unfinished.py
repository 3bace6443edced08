"""Uploads in parts that nobody finished are given up after a day; nothing else of the bucket is touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from modelwright.core.errors import Unavailable
from modelwright.core.ids import new_id
from modelwright.storage import unfinished
from tests.storage.s3_server import MIB, S3Server

KEY = "mw/ab/cdef"


def begin(server: S3Server, bucket: str, key: str = KEY) -> str:
    """An upload with one part, as whoever was killed leaves it."""
    client = server.client()
    upload = str(client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"])
    client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"x" * 5 * MIB)
    return upload


def left(server: S3Server, bucket: str) -> list[str]:
    """Keys of the uploads that are under way."""
    return [found["Key"] for found in server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


def test_what_is_old_goes_and_what_is_young_or_of_others_stays(server: S3Server, bucket: str, tmp_path: Path) -> None:
    store = server.store(bucket, tmp_path / "cache")
    blob = store.put_bytes(b"whole")
    begin(server, bucket)
    begin(server, bucket, "elsewhere/ab")
    # This server says of every upload that it began in November 2010.
    assert store.abort_unfinished(datetime(2010, 11, 1, tzinfo=UTC)) == 0
    assert sorted(left(server, bucket)) == ["elsewhere/ab", KEY]
    assert store.abort_unfinished(datetime(2010, 12, 1, tzinfo=UTC)) == 1
    assert left(server, bucket) == ["elsewhere/ab"]
    assert store.verify(blob.sha256) == 5


def test_the_platforms_own_loop_gives_up_what_is_older_than_a_day(
    server: S3Server, bucket: str, tmp_path: Path, settings: Settings
) -> None:
    begin(server, bucket)
    keys = tmp_path / "keys"
    keys.write_text(f"aws_access_key_id = {server.keys.access_key}\naws_secret_access_key = {server.keys.secret_key}\n")
    settings.DATA_DIR, settings.BLOBS_CREDENTIALS_FILE = tmp_path, str(keys)
    settings.BLOBS = f"s3://{bucket}/mw?endpoint={server.endpoint}"
    unfinished.give_up()
    assert left(server, bucket) == []
    assert timedelta(days=1) == unfinished.AGE


def test_a_store_that_does_not_answer_is_asked_again_later(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DATA_DIR, settings.BLOBS = tmp_path, f"s3://bucket-{new_id()}/mw?endpoint=http://127.0.0.1:1"
    unfinished.give_up()
    assert "were not looked for" in caplog.text


def test_a_missing_bucket_is_an_error(server: S3Server, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no bucket"):
        server.store(f"none-{new_id()}", tmp_path / "cache").abort_unfinished(datetime.now(UTC))


def test_a_folder_has_no_parts(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR, settings.BLOBS = tmp_path, ""
    unfinished.give_up()
