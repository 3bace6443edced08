"""App configuration."""

from django.apps import AppConfig


class RolloutsConfig(AppConfig):
    """Rollouts."""

    name = "models.rollouts"
    label = "rollouts"
