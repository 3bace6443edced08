"""Reading a project's repository, by commit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from modelwright.core.errors import NotFound
from projects.models import Project
from projects.source.git import GitRefused, read_object, run
from projects.source.paths import check_folder, check_path
from projects.source.records import Author, Commit, Entry, FileContent

MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_HISTORY = 501
_SHA = re.compile(r"[0-9a-f]{40}")
_LOG_FORMAT = "%H%x1f%an%x1f%ae%x1f%at%x1f%P%x1f%B"


def repository_path(project: Project) -> Path:
    """Where the project's bare repository lies on this host."""
    return Path(settings.DATA_DIR) / "repositories" / f"{project.id}.git"


def init_repository(project: Project) -> None:
    """Make the project's empty repository. Doing it twice is harmless."""
    path = repository_path(project)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    run(path, ["init", "--quiet", "--bare", "--template=", f"--initial-branch={project.default_branch}"])


def head(project: Project) -> str | None:
    """The id of the newest commit of the default branch, None where there is none yet."""
    try:
        return run(repository_path(project), ["rev-parse", "--verify", "--quiet", branch_ref(project)]).decode().strip()
    except GitRefused:
        return None


def check_commit(project: Project, sha: str | None, *, field: str = "commit") -> str:
    """Return the full id of a commit of the project; the newest where `sha` is empty. Raises NotFound."""
    found = sha or head(project)
    if found and _SHA.fullmatch(found):
        kind = read_object(repository_path(project), found, 0)
        if kind is not None and kind[1] == "commit":
            return found
    raise NotFound(
        f"The project {project.name} has no commit {(sha or '(none yet)')[:60]!r}.",
        remedy="Give the full id of a commit from the project's history, 40 hexadecimal digits.",
        field=field,
    )


def list_tree(project: Project, commit: str, path: str = "") -> list[Entry]:
    """The entries of a folder, folders first. Raises NotFound."""
    folder = check_folder(path)
    commit = check_commit(project, commit)
    try:
        listing = run(repository_path(project), ["ls-tree", "-z", "-l", f"{commit}:{folder}"])
    except GitRefused:
        raise _no_path(folder, commit) from None
    kinds = {"120000": "link", "160000": "submodule", "040000": "folder"}
    entries = []
    for line in listing.decode(errors="replace").split("\0")[:-1]:
        facts, _, name = line.partition("\t")
        mode, _, _, size = facts.split()
        kind = kinds.get(mode, "file")
        full = f"{folder}/{name}" if folder else name
        entries.append(Entry(name, full, kind, int(size) if size.isdigit() else None))
    return sorted(entries, key=lambda entry: (entry.kind != "folder", entry.name))


def list_files(project: Project, commit: str) -> list[str]:
    """The paths of all files of a commit, in Git's order."""
    commit = check_commit(project, commit)
    listing = run(repository_path(project), ["ls-tree", "-r", "-z", "--name-only", commit])
    return listing.decode(errors="replace").split("\0")[:-1]


def read_file(project: Project, commit: str, path: str, max_bytes: int = MAX_FILE_BYTES) -> FileContent:
    """The first `max_bytes` of a file of a commit. Raises NotFound where it is none."""
    check_path(path)
    commit = check_commit(project, commit)
    found = read_object(repository_path(project), f"{commit}:{path}", max_bytes)
    if found is None or found[1] != "blob":
        raise _no_path(path, commit)
    return FileContent(path=path, digest=found[0], size=found[2], data=found[3])


def history(project: Project, path: str = "", limit: int = 50, start: str | None = None) -> list[Commit]:
    """Commits from `start` (the newest where empty) backwards, at most `limit`; those that touched `path` if given."""
    if start is None and head(project) is None:
        return []
    start = check_commit(project, start, field="start")
    arguments = ["log", "-z", f"--format={_LOG_FORMAT}", f"--max-count={min(limit, MAX_HISTORY)}", start, "--"]
    if path:
        arguments.append(check_folder(path))
    records = run(repository_path(project), arguments).decode(errors="replace").split("\0")
    return [_commit(record) for record in records if record]


def branch_ref(project: Project) -> str:
    """The full name of the default branch."""
    return f"refs/heads/{project.default_branch}"


def _commit(record: str) -> Commit:
    sha, name, email, at, parents, message = record.split("\x1f", 5)
    return Commit(
        sha=sha,
        author=Author(name, email),
        at=datetime.fromtimestamp(int(at), UTC),
        parents=tuple(parents.split()),
        message=message.strip(),
    )


def _no_path(path: str, commit: str) -> NotFound:
    return NotFound(
        f"There is no {path or 'file'!r} in commit {commit[:12]}.",
        remedy="See the list of the commit's files.",
        field="path",
    )
