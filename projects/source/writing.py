"""Writing a project's repository, as whole commits on a head that the writer has seen."""

from __future__ import annotations

import tempfile
import time
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from django.conf import settings

from modelwright.core.errors import Conflict, Unavailable, ValidationFailed
from projects.models import Project
from projects.source.git import GitRefused, run
from projects.source.paths import check_path
from projects.source.reading import MAX_FILE_BYTES, branch_ref, head, list_files, repository_path
from projects.source.records import Author

MAX_COMMIT_BYTES = 20 * 1024 * 1024
MAX_CHANGES = 1000
MAX_MESSAGE = 5000
_NO_COMMIT = "0" * 40
# A write holds its lock for some milliseconds.
_OLD_LOCK_SECONDS = 60
_COMMITTER = {"GIT_COMMITTER_NAME": "Modelwright", "GIT_COMMITTER_EMAIL": "modelwright@localhost"}


def write_commit(
    project: Project,
    changes: Mapping[str, bytes | None],
    *,
    message: str,
    author: Author,
    expected_head: str | None,
) -> str:
    """Write a commit on top of `expected_head` (None for the first) without moving the branch; return its id.

    `changes` maps paths to whole new contents, None deletes. Raises ValidationFailed, and Conflict where
    `expected_head` is not the newest commit.
    """
    _check_changes(changes, message)
    check_head(project, expected_head)
    check_tree(changes, list_files(project, expected_head) if expected_head else [])
    repository = repository_path(project)
    modes = _executable(repository, expected_head, list(changes)) if expected_head else {}
    with tempfile.TemporaryDirectory(prefix="modelwright-commit-") as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        blobs = _store(repository, [data for data in changes.values() if data is not None], Path(scratch))
        run(
            repository,
            ["read-tree", expected_head] if expected_head else ["read-tree", "--empty"],
            extra_environment=index,
        )
        stored = iter(blobs)
        lines = [
            f"0 {_NO_COMMIT}\t{path}" if data is None else f"{modes.get(path, '100644')} {next(stored)}\t{path}"
            for path, data in changes.items()
        ]
        run(
            repository,
            ["update-index", "-z", "--index-info"],
            stdin=("\0".join(lines) + "\0").encode(),
            extra_environment=index,
        )
        tree = run(repository, ["write-tree"], extra_environment=index).decode().strip()
    if expected_head and tree == run(repository, ["rev-parse", f"{expected_head}^{{tree}}"]).decode().strip():
        raise ValidationFailed(
            "These changes leave every file as it is.", remedy="Change something before you commit.", field="changes"
        )
    parents = [expected_head] if expected_head else []
    return commit_tree(repository, tree, message=message, author=author, parents=parents)


def commit_tree(repository: Path, tree: str, *, message: str, author: Author, parents: Sequence[str]) -> str:
    """Write a commit of a tree that the repository holds, which no branch names yet; return its id."""
    after = [part for parent in parents for part in ("-p", parent)]
    who = {**_COMMITTER, "GIT_AUTHOR_NAME": author.name, "GIT_AUTHOR_EMAIL": author.email}
    written = run(repository, ["commit-tree", tree, *after], stdin=message.encode(), extra_environment=who)
    return written.decode().strip()


def move_head(project: Project, commit: str, expected_head: str | None) -> None:
    """Make `commit` the newest one if `expected_head` still is. Raises Conflict, Unavailable."""
    arguments = ["update-ref", branch_ref(project), commit, expected_head or _NO_COMMIT]
    try:
        run(repository_path(project), arguments)
    except GitRefused:
        if head(project) != expected_head:
            raise _moved(project) from None
        _break_old_lock(project)
        run(repository_path(project), arguments)


def _break_old_lock(project: Project) -> None:
    """Remove the lock that an interrupted write left on the branch; a fresh one belongs to somebody."""
    lock = repository_path(project) / f"{branch_ref(project)}.lock"
    try:
        is_old = time.time() - lock.stat().st_mtime > _OLD_LOCK_SECONDS
    except FileNotFoundError:
        return
    if not is_old:
        raise Unavailable(
            f"The files of the project {project.name} are being written at this moment.",
            remedy=f"Try again; a write that was interrupted is cleared away after {_OLD_LOCK_SECONDS} seconds.",
        )
    lock.unlink(missing_ok=True)


def commit_files(
    project: Project,
    changes: Mapping[str, bytes | None],
    *,
    message: str,
    author: Author,
    expected_head: str | None,
) -> str:
    """Write a commit and make it the newest one; return its id. Raises as `write_commit` and `move_head` do."""
    commit = write_commit(project, changes, message=message, author=author, expected_head=expected_head)
    move_head(project, commit, expected_head)
    return commit


def check_head(project: Project, expected_head: str | None) -> None:
    """Raises Conflict where `expected_head` is not the newest commit."""
    if head(project) != expected_head:
        raise _moved(project)


def _moved(project: Project) -> Conflict:
    return Conflict(
        f"Somebody committed to the project {project.name} after you read it.",
        remedy="Read the newest commit, put your changes on top of it, and commit again.",
        field="expected_head",
    )


def _executable(repository: Path, commit: str, paths: list[str]) -> dict[str, str]:
    """Of `paths`, those that are programs, with Git's mode for them: new content does not make them plain files."""
    listed = run(repository, ["ls-tree", "-z", "--", commit, *paths]).decode(errors="replace").split("\0")[:-1]
    entries = [line.partition("\t") for line in listed]
    return {path: "100755" for facts, _, path in entries if facts.startswith("100755 ")}


def _store(repository: Path, contents: list[bytes], scratch: Path) -> list[str]:
    """Write the contents as blobs and return their ids, in order."""
    if not contents:
        return []
    names = []
    for number, data in enumerate(contents):
        file = scratch / str(number)
        file.write_bytes(data)
        names.append(str(file))
    listed = "\n".join(names) + "\n"
    return (
        run(repository, ["hash-object", "-w", "--no-filters", "--stdin-paths"], stdin=listed.encode()).decode().split()
    )


def _check_changes(changes: Mapping[str, bytes | None], message: str) -> None:
    if not changes:
        raise ValidationFailed("There is nothing to commit.", remedy="Give at least one file.", field="changes")
    if len(changes) > MAX_CHANGES:
        raise ValidationFailed(
            f"One commit changes at most {MAX_CHANGES} files.", remedy="Split it into several.", field="changes"
        )
    for path, data in changes.items():
        check_path(path)
        if data is not None and len(data) > MAX_FILE_BYTES:
            raise ValidationFailed(
                f"{path} has {len(data):,} bytes; a file that is written here has at most {MAX_FILE_BYTES:,}.",
                remedy=f"Push it with Git, where a file may have {settings.GIT_FILE_BYTES // 1024**2} MiB. Or keep "
                "data out of Git: let a run read it and log it as an artifact.",
                field="changes",
            )
    if sum(len(data or b"") for data in changes.values()) > MAX_COMMIT_BYTES:
        raise ValidationFailed(
            f"One commit has at most {MAX_COMMIT_BYTES:,} bytes.", remedy="Split it into several.", field="changes"
        )
    check_message(message)


def check_message(message: str) -> None:
    """Raises ValidationFailed for a message that a commit cannot have."""
    if not message.strip() or len(message) > MAX_MESSAGE or _is_unseen(message):
        raise ValidationFailed(
            f"The message must have 1 to {MAX_MESSAGE} characters and none that cannot be seen.",
            remedy="Say in a line what the commit does and why.",
            field="message",
        )


def _is_unseen(message: str) -> bool:
    return any(c not in "\n\r\t" and unicodedata.category(c) in ("Cc", "Cs") for c in message)


def check_tree(changes: Mapping[str, bytes | None], existing: list[str]) -> None:
    """Refuse to delete what is not there, and a path that would be a file and a folder at once."""
    files = set(existing)
    for path, data in changes.items():
        if data is None and path not in files:
            raise ValidationFailed(
                f"There is no file {path} to delete.", remedy="Leave it out of the changes.", field="changes"
            )
    after = (files | {path for path, data in changes.items() if data is not None}) - {
        path for path, data in changes.items() if data is None
    }
    folders = {parent for path in after for parent in _parents(path)}
    both = sorted(after & folders)
    if both:
        raise ValidationFailed(
            f"{both[0]} would be a file and a folder at once.", remedy="Rename or delete one of them.", field="changes"
        )


def _parents(path: str) -> list[str]:
    segments = path.split("/")
    return ["/".join(segments[:end]) for end in range(1, len(segments))]
