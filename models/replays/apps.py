"""App configuration."""

from django.apps import AppConfig


class ReplaysConfig(AppConfig):
    """Replays."""

    name = "models.replays"
    label = "replays"
