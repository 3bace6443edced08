"""App configuration."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Events."""

    name = "models.events"
    label = "events"
