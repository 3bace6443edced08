"""What a backend is given (`WorkloadSpec`), what it answers (`WorkloadStatus`) and what it must do (`Backend`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Phase(StrEnum):
    """Where a started workload is, as far as its host knows."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


class Cause(StrEnum):
    """Why a workload ended. The values equal the final states of `Workload.state`."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"


class BackendError(Exception):
    """A workload could not be started or stopped. The message is fit for the person who asked for it."""


class SourceError(BackendError):
    """The workload's files could not be prepared: trying again gives the same result."""


class ImageMissingError(BackendError):
    """The host does not have the image: trying again gives the same result until somebody supplies it."""


class UnavailableError(BackendError):
    """Nothing on the host answers that could start or stop anything. Nothing was changed; later it may work."""


@dataclass(frozen=True, order=True)
class WorkloadKey:
    """Names one placement of one workload: a new fence is a new key."""

    workload_id: str
    fence: int

    @property
    def name(self) -> str:
        """`<workload id>-<fence>`, the name of its folder, cgroup and socket."""
        return f"{self.workload_id}-{self.fence}"

    @classmethod
    def parse(cls, name: str) -> WorkloadKey:
        """The key that `name` stands for. Raises ValueError when it stands for none."""
        workload_id, separator, fence = name.rpartition("-")
        if not workload_id or not separator or not fence.isdigit():
            raise ValueError(f"{name!r} is not <workload id>-<fence>")
        return cls(workload_id, int(fence))


@dataclass(frozen=True)
class Limits:
    """What a workload may use. None means unlimited. Seconds and bytes throughout.

    `cpu` is what it gets when everybody wants some; it may use more while there is more, unless `cpu_hard`.
    """

    cpu: float | None = None
    cpu_hard: bool = False
    memory_bytes: int | None = None
    timeout_seconds: float | None = None
    processes: int | None = 4096
    open_files: int | None = 65536
    grace_seconds: float = 5.0
    log_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True)
class ArchiveSource:
    """Files that are unpacked into the working folder before the start: a tar file of this host, not compressed.

    `path` is absolute, `sha256` what the file must have.
    """

    path: str
    sha256: str


@dataclass(frozen=True)
class WorkloadSpec:
    """All that a backend needs to know to run a workload.

    `environment` is the whole environment of the process: nothing is inherited from the control plane; a backend may
    add `MODELWRIGHT_WORKLOAD=<workload id>-<fence>`, and what names its GPUs to it, none included. `files` (relative
    path -> text) are written into the working folder after the archive. `directory` is relative to the working folder.

    `readable` names folders and files of the host that the workload reads at their own paths: its environment, the
    runtime, inputs. `writable` names folders of the host that it writes to, such as that of its socket. `image` names
    the image that it runs in, empty for the host's own choice. Backends without containers need none of these.
    `secret_files` (name -> text) are written where only the workload reads them, outside of the working folder, and go
    with it: `environment` tells their paths. `masked` are texts that the log shows as `***`.
    `gpus` are the indexes of the host's GPUs that are its own, in the order of the PCI bus; where the backend chooses
    the machine, their number counts. `kind` is only shown, except where it says what shall be kept alive.
    For a backend that spreads workloads over machines: `port` is the TCP port on which it answers once it is ready (0:
    none), `labels` are those that its machine must have.
    """

    key: WorkloadKey
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    limits: Limits = field(default_factory=Limits)
    source: ArchiveSource | None = None
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_files: Mapping[str, str] = field(default_factory=dict, repr=False)
    masked: Sequence[str] = field(default=(), repr=False)
    directory: str = ""
    readable: Sequence[str] = ()
    writable: Sequence[str] = ()
    gpus: Sequence[int] = ()
    image: str = ""
    kind: str = "workload"
    port: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkloadStatus:
    """What the host knows of a workload. Times are Unix seconds; `cause` is set exactly when the phase is ENDED."""

    key: WorkloadKey
    phase: Phase
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    message: str = ""
    peak_memory_bytes: int | None = None
    started_at: float | None = None
    finished_at: float | None = None


class Backend(Protocol):
    """Runs workloads on one host. Every method may be called twice, from two processes, with the effect of once."""

    def start(self, spec: WorkloadSpec) -> WorkloadStatus:
        """Starts the workload unless its key was started before, and returns without waiting for its end.

        Raises SourceError when its files cannot be prepared, BackendError when the host cannot start it.
        """
        ...

    def stop(self, key: WorkloadKey, *, cause: Cause = Cause.CANCELLED, message: str = "") -> None:
        """Records why, then asks the workload and all its descendants to end, by force after the grace period.

        Returns at once. A workload that was not started yet will not start any more. Processes left over from a
        workload whose supervisor died are killed.
        """
        ...

    def status(self, key: WorkloadKey) -> WorkloadStatus | None:
        """What the host knows of the workload, None when it never started here. A supervisor that vanished without
        leaving a record gives ENDED with the cause LOST."""
        ...

    def list(self) -> Sequence[WorkloadStatus]:
        """All workloads that were started here and not removed, ended ones among them."""
        ...

    def remove(self, key: WorkloadKey, *, keep_record: bool = True) -> None:
        """Forgets an ended workload and deletes its working folder; its log and record stay if `keep_record`.

        Raises BackendError while the workload is running.
        """
        ...


@dataclass(frozen=True)
class Machine:
    """One machine of a backend that spreads workloads over several, and what it has for them in all.

    `name` is its own for as long as it belongs to them, `title` what people call it. `gpus` are names of whole GPUs.
    """

    name: str
    title: str
    cpu: float
    memory_bytes: int
    gpus: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Spreading(Protocol):
    """What a backend with many machines can tell."""

    def machines(self) -> Sequence[Machine]:
        """Those that take workloads now, by title. Raises UnavailableError where nobody can say."""
        ...


@runtime_checkable
class Renewing(Protocol):
    """What a backend for long-lived workloads may be able to do besides."""

    def renew(self, spec: WorkloadSpec) -> None:
        """Runs `spec` in place of what runs under its key, without a gap: the new one is started first.

        Returns at once. The old one ends when the new one answers on its port; when that does not get ready, the old
        one goes on, and the status says so. Raises BackendError when nothing runs under the key.
        """
        ...
