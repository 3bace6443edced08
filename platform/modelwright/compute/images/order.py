"""What an image is built from, what a lock is made from, and how far that is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from modelwright.compute.backends.base import BackendError

# Raise it when the recipe changes: images of the old one are not used any more.
RECIPE = "2"
NAME = "modelwright-environment"
KINDS = ("requirements.txt", "pyproject.toml")
LARGEST_LOCK = 4 * 1024 * 1024
IMAGE = re.compile(rf"{NAME}:[0-9a-f]{{40}}")
_PYTHON = re.compile(r"3\.\d{1,2}(\.\d{1,3})?")
_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
_ATTEMPT = re.compile(r"[A-Za-z0-9-]{0,64}")
_LAB = re.compile(r"^jupyterlab==", re.MULTILINE)


class BuildPhase(StrEnum):
    """How far an image or a lock is."""

    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class BuildOrder:
    """A lock with hashes, the Python that it was made for, and the path of the environment in the image.

    It must not lie below /tmp, which is empty in every container. A failure belongs to its `attempt`, any text of the
    caller's: under another one it is tried anew.
    """

    lock: str
    python: str
    path: str
    attempt: str = ""

    def __post_init__(self) -> None:
        check(self.python, self.attempt, self.lock)
        if not _PATH.fullmatch(self.path) or self.path.startswith("/tmp/"):  # noqa: S108 - refused
            raise BackendError(f"{self.path!r} cannot be the path of an environment in an image.")

    @property
    def needs_git(self) -> bool:
        """Whether Git shall be in the image: people work in JupyterLab, and a session saves by it.

        It follows from the lock, which is all that another host has of an environment.
        """
        return _LAB.search(self.lock) is not None

    def image(self, base: str) -> str:
        """The image's name: equal for equal content on an equal base (the engine's id of it)."""
        programs = ["git"] if self.needs_git else []
        text = "\n".join([RECIPE, *programs, base, self.python, self.path, self.lock])
        return f"{NAME}:{hashlib.sha256(text.encode()).hexdigest()[:40]}"

    def to_json(self) -> dict[str, str]:
        """The inverse of `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> BuildOrder:
        """Raises BackendError for what is no order."""
        return cls(**texts(values))


@dataclass(frozen=True)
class LockOrder:
    """A file of requirements that a lock is wanted for. The answer holds for its `attempt`: another one asks anew.

    `additions` are requirements that are resolved together with it.
    """

    requirements: str
    kind: str
    python: str
    attempt: str = ""
    additions: str = ""

    def __post_init__(self) -> None:
        check(self.python, self.attempt, self.requirements + self.additions)
        if self.kind not in KINDS:
            raise BackendError(f"{self.kind!r} names no dependencies: use one of {', '.join(KINDS)}.")

    @property
    def name(self) -> str:
        """Names the folder of its log and outcome."""
        text = "\n".join([self.kind, self.python, self.attempt, self.requirements, self.additions])
        return f"lock-{hashlib.sha256(text.encode()).hexdigest()[:40]}"

    def to_json(self) -> dict[str, str]:
        """The inverse of `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> LockOrder:
        """Raises BackendError for what is no order."""
        return cls(**texts(values))


def check(python: str, attempt: str, text: str) -> None:
    """Raises BackendError for what could say more than it should in a recipe or a path."""
    if not _PYTHON.fullmatch(python):
        raise BackendError(f"{python!r} is not a version of Python like 3.11.")
    if not _ATTEMPT.fullmatch(attempt):
        raise BackendError(f"{attempt!r} cannot name an attempt: use letters, digits and '-'.")
    if len(text) > LARGEST_LOCK:
        raise BackendError("The lock or the file of requirements is larger than 4 MiB.")


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """The values, all of which must be texts."""
    if not all(isinstance(value, str) for value in values.values()):
        raise BackendError("An order to build consists of texts.")
    return {name: str(value) for name, value in values.items()}


@dataclass(frozen=True)
class BuildState:
    """How far an image or a lock is. `image` and `lock` are what was asked for, once it is ready.

    `log` is the path of the build's log on the host; `seconds` the time that it took; `size_bytes` what the image has
    more than its base. `reused` says that nothing had to be built. `error` and `remedy` are for the author of the
    requirements.
    """

    image: str
    phase: BuildPhase
    log: str = ""
    lock: str = ""
    error: str = ""
    remedy: str = ""
    seconds: float = 0.0
    size_bytes: int = 0
    reused: bool = False

    def to_json(self) -> dict[str, Any]:
        """The inverse of `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> BuildState:
        """A state, from somebody who is trusted to send whole ones."""
        return cls(**{**values, "phase": BuildPhase(values["phase"])})
