"""App configuration."""

from django.apps import AppConfig


class EndpointsConfig(AppConfig):
    """Endpoints and deployments."""

    name = "models.endpoints"
    label = "endpoints"
