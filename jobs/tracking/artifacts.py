"""The files that a platform run logged: listed and read from MLflow's artifact folder, never opened as anything."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from jobs.tracking.reader import TrackedRun, tracked_runs
from modelwright.core.errors import NotFound, ValidationFailed

MAX_LISTED = 2000
_SCHEME = re.compile(r"\Amlflow-artifacts:/+")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file or folder. `path` is `<MLflow run or model>/<path below it>`, which `open_artifact` takes."""

    path: str
    size: int
    is_folder: bool = False


def list_artifacts(workspace: str, run_id: UUID) -> list[Artifact]:
    """Every file that the platform run logged, folders left out, sorted, at most `MAX_LISTED`. Raises Unavailable."""
    found: list[Artifact] = []
    for name, root in _roots(workspace, run_id).items():
        for path, size in _files(root):
            if len(found) == MAX_LISTED:
                return found
            found.append(Artifact(f"{name}/{path}", size))
    return found


def open_artifact(workspace: str, run_id: UUID, path: str) -> tuple[BinaryIO, int]:
    """(open file, size in bytes) of a listed artifact. Raises NotFound, ValidationFailed, Unavailable.

    Whoever sends it to a browser sends it as an attachment: its content is a stranger's.
    """
    parts = PurePosixPath(path).parts
    if not parts or "\0" in path or path.startswith("/") or any(part in ("..", ".") for part in parts):
        raise ValidationFailed(
            f"{path[:200]!r} is no artifact's path.", remedy="Use a path from the list.", field="path"
        )
    root = _roots(workspace, run_id).get(parts[0])
    if root is None or len(parts) == 1:
        raise _missing(path)
    return _open_below(root, parts[1:], path)


def _roots(workspace: str, run_id: UUID) -> dict[str, Path]:
    """The folders that belong to the run: of its MLflow runs and logged models, by id."""
    roots: dict[str, Path] = {}
    for run in tracked_runs(workspace, run_id):
        for name, location in _locations(run):
            folder = _folder(workspace, location)
            if folder is not None:
                roots[name] = folder
    return roots


def _locations(run: TrackedRun) -> Iterator[tuple[str, str]]:
    yield run.mlflow_id, run.artifact_uri
    for model in run.models:
        yield model.model_id, model.artifact_location


def _folder(workspace: str, location: str) -> Path | None:
    """Where `mlflow-artifacts:/…` lies on disk; None where that is not in the project's own folder."""
    if not _SCHEME.match(location):
        return None
    below = PurePosixPath(_SCHEME.sub("", location)).parts
    base = ("workspaces", workspace)
    if below[:2] != base:
        below = base + below
    if ".." in below:
        return None
    return Path(settings.MLFLOW_ARTIFACTS_DIR, *below)


def _files(root: Path) -> Iterator[tuple[str, int]]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                yield str(path.relative_to(root)), status.st_size


def _open_below(root: Path, parts: tuple[str, ...], shown: str) -> tuple[BinaryIO, int]:
    """Open a regular file below `root` without following a symbolic link on the way."""
    folder = -1
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        raise _missing(shown) from None
    finally:
        if folder >= 0:
            os.close(folder)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _missing(shown)
    return os.fdopen(descriptor, "rb"), status.st_size


def _missing(path: str) -> NotFound:
    return NotFound(f"The run has no artifact {path[:200]!r}.", remedy="See the list of its artifacts.")
