"""App configuration."""

from django.apps import AppConfig


class ApplicationsConfig(AppConfig):
    """Applications."""

    name = "sessions.applications"
    label = "applications"
