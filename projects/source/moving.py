"""Commits of what the repository holds already: a file under another name, a file or everything as it was."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from modelwright.core.errors import NotFound, ValidationFailed
from projects.models import Project
from projects.source.git import run
from projects.source.paths import check_path
from projects.source.reading import check_commit, list_files, repository_path
from projects.source.records import Author
from projects.source.writing import check_head, check_message, check_tree, commit_tree

_NOTHING = f"0 {'0' * 40}"


class Stored(NamedTuple):
    """A file as a commit has it: Git's mode and the id of its content."""

    mode: str
    object_id: str


def stored_file(project: Project, commit: str, path: str) -> Stored:
    """The file or link at `path`. Raises NotFound where it is none."""
    check_path(path)
    listed = run(repository_path(project), ["ls-tree", "-z", "--", check_commit(project, commit), path]).decode()
    facts = listed.partition("\t")[0].split()
    if len(facts) != 3 or facts[1] != "blob":
        raise NotFound(
            f"There is no file {path!r} in commit {commit[:12]}.",
            remedy="See the list of the commit's files.",
            field="path",
        )
    return Stored(facts[0], facts[2])


def write_stored(
    project: Project, changes: Mapping[str, Stored | None], *, message: str, author: Author, expected_head: str
) -> str:
    """Write a commit on top of `expected_head` in which each path is what is given, None for gone; return its id.

    Executable bits and links stay what they are. Raises as `source.write_commit` does.
    """

    def tree(repository: Path) -> str:
        existing = list_files(project, expected_head)
        check_tree({path: None if one is None else b"" for path, one in changes.items()}, existing)
        lines = [f"{' '.join(one) if one else _NOTHING}\t{path}" for path, one in _removed_first(changes)]
        with tempfile.TemporaryDirectory(prefix="modelwright-commit-") as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            run(repository, ["read-tree", expected_head], extra_environment=index)
            given = ("\0".join(lines) + "\0").encode()
            run(repository, ["update-index", "-z", "--index-info"], stdin=given, extra_environment=index)
            return run(repository, ["write-tree"], extra_environment=index).decode().strip()

    for path in changes:
        check_path(path)
    return _write(project, tree, message=message, author=author, expected_head=expected_head)


def write_restored(project: Project, commit: str, *, message: str, author: Author, expected_head: str) -> str:
    """Write a commit on top of `expected_head` that has the files of `commit` and no others; return its id."""
    commit = check_commit(project, commit)
    for path in list_files(project, commit):
        check_path(path)

    def tree(repository: Path) -> str:
        return run(repository, ["rev-parse", f"{commit}^{{tree}}"]).decode().strip()

    return _write(project, tree, message=message, author=author, expected_head=expected_head)


def _removed_first(changes: Mapping[str, Stored | None]) -> list[tuple[str, Stored | None]]:
    # A file may take the name of a folder that goes with the same commit.
    return sorted(changes.items(), key=lambda change: change[1] is not None)


def _write(project: Project, tree: Callable[[Path], str], *, message: str, author: Author, expected_head: str) -> str:
    check_message(message)
    check_head(project, expected_head)
    repository = repository_path(project)
    written = tree(repository)
    if written == run(repository, ["rev-parse", f"{expected_head}^{{tree}}"]).decode().strip():
        raise ValidationFailed(
            "Everything is like that in the newest commit already.", remedy="Choose another version.", field="commit"
        )
    return commit_tree(repository, written, message=message, author=author, parents=[expected_head])
