"""Branches and tags of a project's repository, and what a person means by the name of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from modelwright.core.errors import NotFound, ValidationFailed
from projects.models import Project
from projects.source.git import GitRefused, run
from projects.source.reading import check_commit, repository_path

MAX_REFERENCES = 500
_SHA = re.compile(r"[0-9a-f]{40}")
# As what a push may make: nothing that Git would read as an expression, an option or a file of its own.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,118}[A-Za-z0-9])?")
_FIELDS = "%(refname)%00%(objectname)%00%(*objectname)%00%(creatordate:unix)%00%(contents:subject)"


@dataclass(frozen=True, slots=True)
class Reference:
    """A branch or tag, and the commit that it names. `kind`: branch or tag."""

    name: str
    kind: str
    commit: str
    at: datetime
    subject: str


def list_references(project: Project) -> list[Reference]:
    """The branches and tags, branches first, each newest first; at most 500."""
    listed = run(
        repository_path(project),
        [
            "for-each-ref", f"--count={MAX_REFERENCES}", "--sort=-creatordate", f"--format={_FIELDS}",
            "refs/heads", "refs/tags",
        ],
    )  # fmt: skip
    found = [_reference(line) for line in listed.decode(errors="replace").splitlines()]
    return sorted(found, key=lambda one: one.kind != "branch")


def resolve(project: Project, name: str | None, *, field: str = "commit") -> str:
    """The commit that a full id, a branch or a tag names; the newest of the main branch where `name` is empty.

    Raises NotFound. An id goes before a branch of that name, a branch before a tag.
    """
    if not name or _SHA.fullmatch(name):
        return check_commit(project, name, field=field)
    if _is_name(name):
        for folder in ("heads", "tags"):
            try:
                found = run(
                    repository_path(project),
                    ["rev-parse", "--verify", "--quiet", "--end-of-options", f"refs/{folder}/{name}^{{commit}}"],
                )
            except GitRefused:
                continue
            return check_commit(project, found.decode().strip(), field=field)
    shown = name.encode(errors="backslashreplace").decode()[:60]
    raise NotFound(
        f"The project {project.name} has no commit, branch or tag {shown!r}.",
        remedy="Give the full id of a commit, 40 hexadecimal digits, or the name of a branch or tag.",
        field=field,
    )


def check_name(name: str, *, field: str) -> None:
    """Raises ValidationFailed where no branch can have that name."""
    if not _is_name(name):
        raise ValidationFailed(
            "This is no name of a branch.",
            remedy="Use letters, digits, hyphens, dots and slashes, 120 at most.",
            field=field,
        )


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not any(part in name for part in ("..", "//", "/.")) and name[-5:] != ".lock"


def _reference(line: str) -> Reference:
    name, found, tagged, at, subject = line.split("\0", 4)
    _, folder, short = name.split("/", 2)
    moment = datetime.fromtimestamp(int(at or 0), UTC)
    return Reference(short, "branch" if folder == "heads" else "tag", tagged or found, moment, subject)
