"""App configuration."""

from django.apps import AppConfig


class ObservabilityConfig(AppConfig):
    """Observability: sums of what processes counted."""

    name = "modelwright.observability"
    label = "observability"
