"""App configuration."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Approvals."""

    name = "models.approvals"
    label = "approvals"
