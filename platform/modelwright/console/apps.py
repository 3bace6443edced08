"""App configuration."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Console: no tables."""

    name = "modelwright.console"
    label = "console"
