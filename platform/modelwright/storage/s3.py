"""Blobs in a bucket of an S3-compatible store."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import boto3
import botocore.config
from boto3.s3.transfer import TransferConfig

from modelwright.core.errors import Unavailable
from modelwright.storage.address import Bucket, Keys
from modelwright.storage.blobs import CHUNK, Blob, Readable, check_digest, check_name, copy, is_name, open_regular
from modelwright.storage.cache import Cache
from modelwright.storage.s3_errors import Missing, missing_bucket, translated

PART_BYTES = 16 * CHUNK
_ATTEMPTS = 3
_CHECK_SECONDS = 2


class S3Blobs:
    """Blobs as objects `<prefix>ab/cdef…`, the layout of a folder of blobs.

    Objects appear whole or not at all, also those sent in parts. Whatever is read is verified. May be used by several
    threads, but not on both sides of a fork.
    """

    def __init__(self, bucket: Bucket, cache: Cache, keys: Keys | None = None, *, part_bytes: int = PART_BYTES) -> None:
        """`keys` None: what the SDK finds by itself (environment, instance role). Nothing is sent yet."""
        self.bucket = bucket
        self._cache = cache
        self._keys = keys
        self._transfer = TransferConfig(
            multipart_threshold=part_bytes, multipart_chunksize=part_bytes, max_concurrency=4
        )
        self._bucket_seen = False

    @property
    def address(self) -> str:
        """`s3://bucket/prefix at endpoint`."""
        return str(self.bucket)

    def has(self, sha256: str) -> bool:
        try:
            self._head(sha256)
        except Missing:
            return False
        return True

    def size(self, sha256: str) -> int:
        try:
            return self._head(sha256)
        except Missing:
            raise self._gone(sha256) from None

    def put_bytes(self, content: bytes) -> Blob:
        return self.put_stream(io.BytesIO(content))

    def put_file(self, path: Path) -> Blob:
        with open_regular(path) as file:
            return self.put_stream(file)

    def put_stream(self, stream: Readable) -> Blob:
        # The name is known at the end only, and what is sent must be what was hashed, whoever writes meanwhile.
        with self._spool() as spool:
            sha256, size = copy(stream, cast(BinaryIO, spool))
            if not self._holds(sha256, size):
                spool.seek(0)
                with translated(self.bucket):
                    self._client.upload_fileobj(spool, self.bucket.name, self._key(sha256), Config=self._transfer)
        return Blob(sha256, size)

    @contextmanager
    def open(self, sha256: str, *, verify: bool = False) -> Iterator[BinaryIO]:
        copied = self._cache.find(check_name(sha256))
        if copied is not None:
            with copied.open("rb") as file:
                yield file
        else:
            with self._cache.passing(sha256, partial(self._fetch, sha256)) as file:
                yield file

    def read(self, sha256: str) -> bytes:
        content = self.local_copy(sha256).read_bytes()
        check_digest(sha256, hashlib.sha256(content).hexdigest())
        return content

    def local_copy(self, sha256: str) -> Path:
        return self._cache.find(check_name(sha256)) or self._cache.fill(sha256, partial(self._fetch, sha256))

    def verify(self, sha256: str) -> int:
        with self._cache.passing(check_name(sha256), partial(self._fetch, sha256)) as file:
            return file.seek(0, io.SEEK_END)

    def delete(self, sha256: str) -> None:
        with translated(self.bucket):
            self._client.delete_object(Bucket=self.bucket.name, Key=self._key(sha256))
        self._cache.forget(sha256)

    def blobs(self) -> Iterator[Blob]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket.name, Prefix=self.bucket.prefix
        )
        with translated(self.bucket):
            for page in pages:
                for found in page.get("Contents", ()):
                    name = found["Key"].removeprefix(self.bucket.prefix).replace("/", "", 1)
                    # An area of its own may lie below, of other blobs.
                    if is_name(name):
                        yield Blob(name, found["Size"])

    def abort_unfinished(self, before: datetime) -> int:
        """See `storage.unfinished.KeepsParts`."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self.bucket.name, Prefix=self.bucket.prefix
        )
        ended = 0
        with translated(self.bucket):
            for page in pages:
                for found in page.get("Uploads", ()):
                    if found["Initiated"] < before:
                        ended += self._abort(found["Key"], found["UploadId"])
        return ended

    def _abort(self, key: str, upload: str) -> bool:
        """False where it was finished or given up meanwhile."""
        try:
            with translated(self.bucket):
                self._client.abort_multipart_upload(Bucket=self.bucket.name, Key=key, UploadId=upload)
        except Missing:
            return False
        return True

    def check(self) -> None:
        """One request, not repeated: whoever asks for health does not wait as long as whoever stores something."""
        try:
            with translated(self.bucket):
                self._checking_client.head_bucket(Bucket=self.bucket.name)
        except Missing:
            raise missing_bucket(self.bucket) from None

    @cached_property
    def _client(self) -> Any:
        return self._make_client(_config(self.bucket))

    @cached_property
    def _checking_client(self) -> Any:
        hasty = botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=_CHECK_SECONDS,
            read_timeout=_CHECK_SECONDS,
        )
        return self._make_client(_config(self.bucket).merge(hasty))

    def _make_client(self, config: botocore.config.Config) -> Any:
        keys = self._keys
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.bucket.endpoint or None,
            region_name=self.bucket.region,
            aws_access_key_id=keys.access_key if keys else None,
            aws_secret_access_key=keys.secret_key if keys else None,
            aws_session_token=(keys.session_token or None) if keys else None,
            config=config,
        )

    def _key(self, sha256: str) -> str:
        check_name(sha256)
        return f"{self.bucket.prefix}{sha256[:2]}/{sha256[2:]}"

    def _head(self, sha256: str) -> int:
        key = self._key(sha256)
        try:
            with translated(self.bucket):
                size = int(self._client.head_object(Bucket=self.bucket.name, Key=key)["ContentLength"])
        except Missing:
            self._require_bucket()
            raise
        self._bucket_seen = True
        return size

    def _require_bucket(self) -> None:
        """An answer to HEAD does not tell a missing object from a missing bucket."""
        if self._bucket_seen:
            return
        try:
            with translated(self.bucket):
                self._client.head_bucket(Bucket=self.bucket.name)
        except Missing:
            raise missing_bucket(self.bucket) from None
        self._bucket_seen = True

    def _holds(self, sha256: str, size: int) -> bool:
        try:
            return self._head(sha256) == size
        except Missing:
            return False

    def _fetch(self, sha256: str, target: BinaryIO) -> None:
        """Write the object to `target`, from its beginning again where the connection broke."""
        for attempts_left in reversed(range(_ATTEMPTS)):
            body = self._body(sha256)
            try:
                with translated(self.bucket):
                    for chunk in body.iter_chunks(CHUNK):
                        target.write(chunk)
                return
            except Unavailable:
                if not attempts_left:
                    raise
                target.seek(0)
                target.truncate()
            finally:
                body.close()

    def _body(self, sha256: str) -> Any:
        try:
            with translated(self.bucket):
                return self._client.get_object(Bucket=self.bucket.name, Key=self._key(sha256))["Body"]
        except Missing:
            self._require_bucket()
            raise self._gone(sha256) from None

    def _spool(self) -> tempfile.SpooledTemporaryFile[bytes]:
        return tempfile.SpooledTemporaryFile(max_size=4 * CHUNK, dir=str(self._cache.incoming()))

    def _gone(self, sha256: str) -> Unavailable:
        return Unavailable(
            f"The stored file {sha256} is missing in {self.bucket}.", remedy="Restore the bucket from a backup."
        )


def _config(bucket: Bucket) -> botocore.config.Config:
    """Signed bodies, so that the store refuses what was damaged on its way; nothing that only Amazon understands."""
    return botocore.config.Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if bucket.endpoint else "auto", "payload_signing_enabled": True},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=5,
        read_timeout=60,
    )
