"""What a commit holds that a run needs to know: its files, and the one that names its dependencies."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from modelwright.compute.models import EnvironmentRequest
from modelwright.core.errors import ValidationFailed
from projects import source
from projects.models import Project

_NAMES = (EnvironmentRequest.Kind.REQUIREMENTS, EnvironmentRequest.Kind.PYPROJECT)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A commit: the paths of its files; the kind and text of `requirements.txt` or `pyproject.toml`, if any."""

    files: frozenset[str]
    kind: str
    requirements: str


def read_snapshot(project: Project, commit: str) -> Snapshot:
    """Read a commit of the project. Raises NotFound, and ValidationFailed where the dependencies are not UTF-8 text."""
    return _cached(_Key(project, commit))


class _Key:
    """A commit never changes, so its project and id stand for what was read of it."""

    def __init__(self, project: Project, commit: str) -> None:
        self.project, self.commit = project, commit

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and (self.project.pk, self.commit) == (other.project.pk, other.commit)

    def __hash__(self) -> int:
        return hash((self.project.pk, self.commit))


@functools.lru_cache(maxsize=128)
def _cached(key: _Key) -> Snapshot:
    files = source.list_files(key.project, key.commit)
    for kind in _NAMES:
        if kind.value in files:
            content = source.read_file(key.project, key.commit, kind.value)
            text = None if content.is_truncated else content.text
            if text is None:
                raise ValidationFailed(
                    f"{kind.value} is not UTF-8 text of at most {source.MAX_FILE_BYTES // 1024**2} MiB.",
                    remedy="Save it as UTF-8 and commit it.",
                    field="commit",
                )
            return Snapshot(frozenset(files), kind.value, text)
    return Snapshot(frozenset(files), EnvironmentRequest.Kind.REQUIREMENTS.value, "")
