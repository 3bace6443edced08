"""Where this installation keeps its blobs."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from modelwright.storage.blobs import BlobStore
from modelwright.storage.local import LocalBlobs


def blob_store() -> BlobStore:
    """The installation's blobs, `blobs/` below the data directory."""
    return LocalBlobs(Path(settings.DATA_DIR) / "blobs")


def models_folder() -> Path:
    """Holds one read-only checkout per model manifest, named by its digest."""
    return Path(settings.DATA_DIR) / "models"
