"""App configuration."""

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """Sessions. Django has an app of the label `sessions` already."""

    name = "sessions"
    label = "work_sessions"
