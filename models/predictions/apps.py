"""App configuration."""

from django.apps import AppConfig


class PredictionsConfig(AppConfig):
    """Predictions."""

    name = "models.predictions"
    label = "predictions"
