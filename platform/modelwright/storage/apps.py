"""The storage room."""

from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from modelwright.core.errors import ValidationFailed
from modelwright.storage.address import parse


class StorageConfig(AppConfig):
    """Blobs; no tables."""

    name = "modelwright.storage"
    label = "storage"

    def ready(self) -> None:
        """Refuse to start with an address that names no place, instead of failing when the first blob is put."""
        try:
            parse(settings.BLOBS, Path())
        except ValidationFailed as error:
            raise ImproperlyConfigured(f"MODELWRIGHT_BLOBS: {error.message} {error.remedy}") from error
