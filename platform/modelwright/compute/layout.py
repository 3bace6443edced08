"""Where compute keeps things below the data directory, and this host's backend."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.models import Environment, Workload


def workloads_folder() -> Path:
    """Holds one folder per placement: `<workload id>-<fence>/`."""
    return Path(settings.DATA_DIR) / "workloads"


def environments_folder() -> Path:
    """Holds one folder per environment, named by the digest of its lock."""
    return Path(settings.DATA_DIR) / "environments"


def environment_folder(environment: Environment) -> Path:
    """The folder of the environment on this host."""
    return environments_folder() / environment.lock_digest


def workload_folder(workload: Workload) -> Path | None:
    """The folder of the workload's present placement, None while it has none. It lies on the workload's host."""
    return workloads_folder() / workload.key_name if workload.fence is not None else None


def work_folder(workload: Workload) -> Path | None:
    """The folder that the workload's process works in, with whatever it left there. None without a placement.

    It is deleted soon after `services.mark_collected`.
    """
    folder = workload_folder(workload)
    return folder / "work" if folder else None


def log_file(workload: Workload) -> Path | None:
    """The workload's log, None while it is not placed. It stays after the work folder is gone."""
    folder = workload_folder(workload)
    return folder / "log" if folder else None


def local_backend() -> ProcessBackend:
    """The backend of this host."""
    return ProcessBackend(workloads_folder())
