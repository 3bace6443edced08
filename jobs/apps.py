"""App configuration."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs and runs."""

    name = "jobs"
    label = "jobs"
