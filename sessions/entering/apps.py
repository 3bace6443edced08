"""App configuration."""

from django.apps import AppConfig


class EnteringConfig(AppConfig):
    """Entering sessions and applications."""

    name = "sessions.entering"
    label = "entering"
