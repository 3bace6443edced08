"""App configuration."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Audit."""

    name = "modelwright.audit"
    label = "audit"
