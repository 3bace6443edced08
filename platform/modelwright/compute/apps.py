"""App configuration."""

from django.apps import AppConfig


class ComputeConfig(AppConfig):
    """Compute: hosts, environments, workloads."""

    name = "modelwright.compute"
    label = "compute"
