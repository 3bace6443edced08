"""The storage room."""

from django.apps import AppConfig


class StorageConfig(AppConfig):
    """Blobs; no tables."""

    name = "modelwright.storage"
    label = "storage"
