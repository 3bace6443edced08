"""Where this installation keeps its blobs."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from modelwright.storage.address import Bucket, parse, read_keys
from modelwright.storage.blobs import BlobStore
from modelwright.storage.cache import Cache
from modelwright.storage.local import LocalBlobs

GIB = 1024**3
# Blobs apart from all others.
UPLOADS = "uploads"
AREAS = ("", UPLOADS)


def blob_store() -> BlobStore:
    """The installation's blobs. Raises ValidationFailed when MODELWRIGHT_BLOBS is malformed."""
    return store_at(settings.BLOBS)


def upload_store() -> BlobStore:
    """Files that people uploaded, and nothing else: one that is deleted here is nothing that a model or run holds."""
    return store_at(settings.BLOBS, area=UPLOADS)


def store_at(address: str, *, credentials_file: str = "", area: str = "") -> BlobStore:
    """The store that `address` names, in the form of MODELWRIGHT_BLOBS, or an area of it. Raises ValidationFailed.

    Without a `credentials_file`, a bucket's keys are the installation's.
    """
    place = parse(address, Path(settings.DATA_DIR) / "blobs")
    if isinstance(place, Path):
        return LocalBlobs(place / area)
    return _bucket_store(
        replace(place, prefix=f"{place.prefix}{area}/") if area else place,
        credentials_file or settings.BLOBS_CREDENTIALS_FILE,
        Path(settings.DATA_DIR) / "cache" / "blobs",
        int(settings.BLOBS_CACHE_GIB * GIB),
        os.getpid(),
    )


@lru_cache(maxsize=8)
def _bucket_store(bucket: Bucket, credentials_file: str, cache: Path, cache_bytes: int, _process: int) -> BlobStore:
    # Connections cannot be shared with a forked process, so the process is part of the key. The SDK takes a third of a
    # second to import, and most installations need none of it.
    from modelwright.storage.s3 import S3Blobs

    keys = read_keys(Path(credentials_file)) if credentials_file else None
    return S3Blobs(bucket, Cache(cache, cache_bytes), keys)


def models_folder() -> Path:
    """Holds one read-only checkout per model manifest, named by its digest."""
    return Path(settings.DATA_DIR) / "models"
