"""App configuration."""

from django.apps import AppConfig


class BatchConfig(AppConfig):
    """Batch scoring."""

    name = "models.batch"
    label = "batch"
