"""Limits that the kernel keeps: cgroups of version 1 or 2 where this process may make them, and rlimits."""

from __future__ import annotations

import contextlib
import os
import resource
import time

ROOT = "/sys/fs/cgroup"
PERIOD_MICROSECONDS = 100_000


class ControlGroup:
    """One cgroup per controller that could be made for a workload; without any, all its methods do nothing."""

    def __init__(self, name: str, *, root: str = ROOT) -> None:
        """Names the group; `create` makes it."""
        self.name = name
        self.root = root
        self.folders: dict[str, str] = {}
        self._cpu_hard = False

    @classmethod
    def for_workload(cls, name: str) -> ControlGroup:
        """The group of the workload with this key name."""
        return cls(f"modelwright-{name}")

    @property
    def limits_memory(self) -> bool:
        """Whether the kernel itself enforces the memory limit."""
        return "memory" in self.folders

    def create(
        self, *, cpu: float | None, memory_bytes: int | None, processes: int | None, cpu_hard: bool = False
    ) -> None:
        """Makes the groups and sets the limits; a controller that refuses is left out."""
        self._cpu_hard = cpu_hard
        wanted = {"cpu": cpu, "memory": memory_bytes, "pids": processes}
        parents = self._parents_v2() if self._is_v2() else self._parents_v1()
        for controller, limit in wanted.items():
            if limit is not None and controller in parents:
                self._make(controller, os.path.join(parents[controller], self.name), limit)

    def _make(self, controller: str, folder: str, limit: float) -> None:
        write = {"cpu": self._limit_cpu, "memory": self._limit_memory, "pids": self._limit_processes}[controller]
        try:
            os.makedirs(folder, exist_ok=True)
            write(folder, limit)
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
            return
        self.folders[controller] = folder

    def enter(self) -> None:
        """Moves the calling process into the groups, so that its children are born there."""
        for folder in set(self.folders.values()):
            _write(os.path.join(folder, "cgroup.procs"), "0")

    def memory_kills(self) -> int:
        """How many processes the kernel killed for the memory limit."""
        if not self.limits_memory:
            return 0
        name = "memory.events" if self._is_v2() else "memory.oom_control"
        with contextlib.suppress(OSError, ValueError), open(os.path.join(self.folders["memory"], name)) as stream:
            for line in stream:
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
        return 0

    def remove(self) -> None:
        """Removes the groups. The kernel needs a moment after the last process is gone."""
        for folder in set(self.folders.values()):
            for _ in range(50):
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break

    def remove_existing(self) -> None:
        """Removes groups of this name that an earlier process made and left behind."""
        parents = self._parents_v2() if self._is_v2() else self._parents_v1()
        found = {controller: os.path.join(parent, self.name) for controller, parent in parents.items()}
        self.folders = {controller: folder for controller, folder in found.items() if os.path.isdir(folder)}
        self.remove()

    def _is_v2(self) -> bool:
        return os.path.exists(os.path.join(self.root, "cgroup.controllers"))

    def _parents_v1(self) -> dict[str, str]:
        parents = {}
        for controllers, path in _memberships():
            for controller in controllers.split(","):
                mount = os.path.join(self.root, controller)
                if controller and os.path.isdir(mount):
                    own = os.path.join(mount, path.lstrip("/"))
                    parents[controller] = own if os.path.isdir(own) else mount
        return parents

    def _parents_v2(self) -> dict[str, str]:
        own = next((path for controllers, path in _memberships() if not controllers), "/")
        folder = os.path.join(self.root, own.lstrip("/")).rstrip("/")
        # A group with processes in it cannot hand controllers down, so its own parent is tried as well.
        for candidate in (folder, os.path.dirname(folder)):
            if not candidate.startswith(self.root.rstrip("/")):
                break
            with contextlib.suppress(OSError):
                _write(os.path.join(candidate, "cgroup.subtree_control"), "+cpu +memory +pids")
            with contextlib.suppress(OSError), open(os.path.join(candidate, "cgroup.subtree_control")) as stream:
                enabled = stream.read().split()
                if "memory" in enabled and os.access(candidate, os.W_OK):
                    return dict.fromkeys(enabled, candidate)
        return {}

    def _limit_cpu(self, folder: str, cpus: float) -> None:
        quota = max(1000, int(cpus * PERIOD_MICROSECONDS))
        if self._is_v2():
            _write(os.path.join(folder, "cpu.weight"), str(min(10_000, max(1, round(cpus * 100)))))
            if self._cpu_hard:
                _write(os.path.join(folder, "cpu.max"), f"{quota} {PERIOD_MICROSECONDS}")
            return
        _write(os.path.join(folder, "cpu.shares"), str(max(2, round(cpus * 1024))))
        if self._cpu_hard:
            _write(os.path.join(folder, "cpu.cfs_period_us"), str(PERIOD_MICROSECONDS))
            _write(os.path.join(folder, "cpu.cfs_quota_us"), str(quota))

    def _limit_memory(self, folder: str, limit: float) -> None:
        amount = str(int(limit))
        if self._is_v2():
            _write(os.path.join(folder, "memory.max"), amount)
            with contextlib.suppress(OSError):
                _write(os.path.join(folder, "memory.swap.max"), "0")
        else:
            _write(os.path.join(folder, "memory.limit_in_bytes"), amount)
            with contextlib.suppress(OSError):
                _write(os.path.join(folder, "memory.memsw.limit_in_bytes"), amount)

    def _limit_processes(self, folder: str, limit: float) -> None:
        _write(os.path.join(folder, "pids.max"), str(int(limit)))


def apply_rlimits(*, open_files: int | None) -> None:
    """Sets the rlimits of the calling process: no core files, at most `open_files` descriptors."""
    _lower(resource.RLIMIT_CORE, 0)
    if open_files is not None:
        _lower(resource.RLIMIT_NOFILE, open_files)


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _memberships() -> list[tuple[str, str]]:
    """(controllers, path) of the calling process from /proc/self/cgroup."""
    try:
        with open("/proc/self/cgroup") as stream:
            lines = [line.rstrip("\n").split(":", 2) for line in stream]
    except OSError:
        return []
    return [(line[1], line[2]) for line in lines if len(line) == 3]


def _write(path: str, text: str) -> None:
    with open(path, "w") as stream:
        stream.write(text)
