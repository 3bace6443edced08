"""Where compute keeps things below the data directory, and this host's backend."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from modelwright.compute.backends.factory import LocalBackend, make_backend
from modelwright.compute.models import Environment, Workload

# Where environments lie in images. Of no host, so that all hosts make the same image.
IMAGE_ENVIRONMENTS = Path("/opt/modelwright/environments")


def workloads_folder() -> Path:
    """Holds one folder per placement: `<workload id>-<fence>/`."""
    return Path(settings.DATA_DIR) / "workloads"


def environments_folder() -> Path:
    """Holds one folder per environment, named by the digest of its lock; with containers inside of the images."""
    return IMAGE_ENVIRONMENTS if has_containers() else Path(settings.DATA_DIR) / "environments"


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


def socket_path(key_name: str) -> Path:
    """Where the workload with that key listens, if it does. The folder is its own; the path is at most 107 bytes."""
    return Path(settings.SOCKETS_DIR) / key_name / "s"


def web_url() -> str:
    """Where workloads of this host find the platform's API."""
    return address_for_workloads(settings.WEB_URL)


def address_for_workloads(url: str) -> str:
    """Where workloads of this host find what has this address outside.

    In containers it has the name that it has outside; a bare address cannot be given to another machine there, so that
    one is found at the container's own.
    """
    parts = urlsplit(url)
    try:
        is_far = not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        is_far = False
    if not has_containers() or not is_far:
        return url
    return f"{parts.scheme}://127.0.0.1:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def has_containers() -> bool:
    """Whether workloads of this host run in containers."""
    return settings.BACKEND != "process"


def local_backend() -> LocalBackend:
    """The backend of this host, named by `MODELWRIGHT_BACKEND`."""
    return _backend(settings.BACKEND, workloads_folder(), Path(settings.KEEPER_SOCKET))


@cache
def _backend(kind: str, root: Path, keeper_socket: Path) -> LocalBackend:
    return make_backend(kind, root=root, keeper_socket=keeper_socket)
