"""App configuration."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """The model registry."""

    name = "models.registry"
    label = "registry"
