"""App configuration."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Core: no tables."""

    name = "modelwright.core"
    label = "core"
