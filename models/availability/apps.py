"""App configuration."""

from django.apps import AppConfig


class AvailabilityConfig(AppConfig):
    """Availability."""

    name = "models.availability"
    label = "availability"
