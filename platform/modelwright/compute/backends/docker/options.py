"""Turns a spec into what the engine is asked for. All that a container may and may not do stands here."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from modelwright.compute.backends.base import BackendError, Limits, SourceError, WorkloadKey, WorkloadSpec
from modelwright.compute.backends.docker.config import MIB, DockerConfig
from modelwright.compute.backends.docker.engine import Api
from modelwright.compute.backends.docker.entry import ENDING, MASKING, RELAYS, SECRETS
from modelwright.compute.backends.folders import Folders

LABEL = "modelwright."
INSTANCE, KIND, WORKLOAD, FENCE, DEADLINE, LIMITS = (
    LABEL + name for name in ("instance", "kind", "workload", "fence", "deadline", "limits")
)
ENTRY = "/run/modelwright/entry.py"
SECRETS_BYTES = 4 * MIB
GPU_CAPABILITIES = ["gpu", "compute", "utility"]
ENGINE_LOG_BYTES = 16 * MIB
ENGINE_LOG_FILES = 3
CPU_PERIOD = 100_000
# What the engine gives a container that says nothing: here it stands for one CPU.
CPU_SHARES = 1024
# The engine's init and the first process are not the workload's.
OWN_PROCESSES = 2
# What the smallest Python needs besides the workload.
SMALLEST_MEMORY = 16 * MIB


def container_name(instance: str, key: WorkloadKey) -> str:
    """The name is the lock: the engine gives it to one container only."""
    return f"{instance}-{key.name}"


def labels(config: DockerConfig, spec: WorkloadSpec) -> dict[str, str]:
    """What another process has to know to look after the container when the one that made it is gone."""
    timeout = spec.limits.timeout_seconds
    return {
        INSTANCE: config.instance,
        KIND: spec.kind,
        WORKLOAD: spec.key.workload_id,
        FENCE: str(spec.key.fence),
        DEADLINE: "" if timeout is None else f"{time.time() + timeout:.3f}",
        LIMITS: json.dumps(asdict(spec.limits)),
    }


def key_of(found: dict[str, str]) -> WorkloadKey:
    """The workload that a container's labels name. Raises KeyError or ValueError."""
    return WorkloadKey(found[WORKLOAD], int(found[FENCE]))


def limits_of(found: dict[str, str]) -> Limits:
    """The limits that a container's labels name."""
    return Limits(**json.loads(found[LIMITS]))


def create_options(
    api: Api, config: DockerConfig, spec: WorkloadSpec, entry: Path, relay: Path | None
) -> dict[str, Any]:
    """Arguments of `create_container`. Raises BackendError for what this host does not allow."""
    image = spec.image or config.image
    if not config.allows_image(image):
        raise BackendError(f"The image {image!r} is not one that this host allows. An administrator can add it.")
    mounts = _passable(_mounts(config, spec, entry, relay), config.root)
    confinement = _confinement(config)
    if spec.secret_files:
        mine = f"uid={config.uid},gid={config.gid},mode=0700"
        confinement["tmpfs"][SECRETS] = f"rw,nosuid,nodev,noexec,size={SECRETS_BYTES},{mine}"
    return {
        "image": image,
        "name": container_name(config.instance, spec.key),
        "entrypoint": ["python3", "-I", "-S", ENTRY],
        "command": [],
        "user": f"{config.uid}:{config.gid}",
        "working_dir": "/",
        "stdin_open": True,
        "hostname": "workload",
        "labels": labels(config, spec),
        "host_config": api.create_host_config(
            **confinement, **_bounds(config, spec.limits), **_devices(spec.gpus), mounts=mounts
        ),
    }


def _confinement(config: DockerConfig) -> dict[str, Any]:
    """Nothing here needs the workload's cooperation, and nothing here can be widened by a spec."""
    return {
        "init": True,
        "privileged": False,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        "ipc_mode": "private",
        "network_mode": config.network,
        "extra_hosts": config.names or None,
        "restart_policy": {"Name": "no"},
        "auto_remove": False,
        "runtime": config.runtime or None,
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,size={config.tmp_bytes}"},  # noqa: S108 - inside of the container
        "log_config": LogConfig(
            type="json-file", config={"max-size": str(ENGINE_LOG_BYTES), "max-file": str(ENGINE_LOG_FILES)}
        ),
    }


def _bounds(config: DockerConfig, limits: Limits) -> dict[str, Any]:
    bounds: dict[str, Any] = {
        "shm_size": config.shm_bytes,
        "pids_limit": None if limits.processes is None else limits.processes + OWN_PROCESSES,
        "ulimits": [
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=config.work_bytes, hard=config.work_bytes),
        ],
    }
    if limits.memory_bytes is not None:
        memory = max(limits.memory_bytes, SMALLEST_MEMORY)
        bounds.update(mem_limit=memory, memswap_limit=memory)
    if limits.cpu is not None:
        bounds["cpu_shares"] = max(2, int(limits.cpu * CPU_SHARES))
        if limits.cpu_hard:
            bounds.update(cpu_period=CPU_PERIOD, cpu_quota=max(1000, int(limits.cpu * CPU_PERIOD)))
    return bounds


def _devices(gpus: Sequence[int]) -> dict[str, Any]:
    """Always explicit indexes: the engine locks nothing, and without a request there are no devices at all."""
    if not gpus:
        return {}
    wanted = [str(index) for index in gpus]
    return {"device_requests": [DeviceRequest(driver="nvidia", device_ids=wanted, capabilities=[GPU_CAPABILITIES])]}


def _mounts(config: DockerConfig, spec: WorkloadSpec, entry: Path, relay: Path | None) -> list[Mount]:
    folders = Folders(config.root)
    work = str(folders.work(spec.key))
    mounts = [
        _mount(work, work, read_only=False),
        _mount(str(folders.ending(spec.key)), ENDING, read_only=False),
        _mount(str(entry), ENTRY, read_only=True),
    ]
    if spec.masked:
        masking = str(Path(ENTRY).parent / MASKING)
        mounts.append(_mount(str(entry.with_name(f"{entry.stem}-{MASKING}")), masking, read_only=True))
    if relay is not None:
        # The folder: the socket in it is another one after a restart of whoever serves it.
        mounts.append(_mount(str(relay), RELAYS, read_only=True))
    mounts += [_mount(str(path), str(path), read_only=False) for path in writable_folders(config, spec)]
    mounts += [_mount(str(path), str(path), read_only=True) for path in readable_folders(config, spec.readable)]
    return mounts


def _passable(mounts: list[Mount], root: Path) -> list[Mount]:
    """The mounts, and an empty folder in place of an image's own /root, which lets nobody through to one below it.

    Only root can be asked for what lies below /root; the folder is root's, so that workloads cannot write into it.
    """
    if os.getuid() != 0 or not any(mount["Target"].startswith("/root/") for mount in mounts):
        return mounts
    home = root / ".home"
    home.mkdir(mode=0o755, exist_ok=True)
    home.chmod(0o755)
    return [_mount(str(home), "/root", read_only=False), *mounts]


def _mount(source: str, target: str, *, read_only: bool) -> Mount:
    return Mount(target=target, source=source, type="bind", read_only=read_only, propagation="rprivate")


def readable_folders(config: DockerConfig, wanted: Sequence[str]) -> list[Path]:
    """The folders to mount read-only at their own paths, and the interpreter that an environment among them needs.

    Raises SourceError for one that is missing or lies outside of what the host allows.
    """
    found: list[Path] = []
    for name in wanted:
        path = Path(name)
        real = path.resolve()
        if not any(real.is_relative_to(root.resolve()) for root in config.readable):
            raise SourceError(f"The folder {name} may not be read by workloads of this host.")
        if not path.is_absolute() or not path.exists():
            raise SourceError(f"The folder {name} is not on this host.")
        found.append(path)
        found += [prefix for prefix in config.interpreters if _needs(path, prefix)]
    return list(dict.fromkeys(found))


def writable_folders(config: DockerConfig, spec: WorkloadSpec) -> list[Path]:
    """The folders to mount writable at their own paths: at most one in each folder that the host opened for that.

    Raises SourceError for any other: one that has not the name of the key would be another workload's.
    """
    allowed = {root / spec.key.name for root in config.writable}
    for name in spec.writable:
        if Path(name) not in allowed:
            raise SourceError(f"The folder {name} may not be written by this workload.")
    return [Path(name) for name in dict.fromkeys(spec.writable)]


def _needs(environment: Path, prefix: Path) -> bool:
    """Whether the virtual environment belongs to the interpreter below `prefix`."""
    try:
        text = (environment / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return False
    homes = [line.partition("=")[2].strip() for line in text.splitlines() if line.partition("=")[0].strip() == "home"]
    return any(Path(home).resolve().is_relative_to(prefix.resolve()) for home in homes)
