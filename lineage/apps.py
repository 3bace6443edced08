"""App configuration."""

from django.apps import AppConfig


class LineageConfig(AppConfig):
    """Lineage."""

    name = "lineage"
    label = "lineage"
