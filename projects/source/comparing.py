"""What changed from one commit to another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from projects.models import Project
from projects.source.git import run, run_for_beginning
from projects.source.reading import check_commit, history, repository_path
from projects.source.records import ChangedFile, CommitDiff, Comparison

MAX_PATCH_BYTES = 400_000
_COMMON = ("-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")


def diff(project: Project, commit: str) -> CommitDiff:
    """What a commit changed against its first parent. Raises NotFound."""
    commit = check_commit(project, commit)
    found = history(project, limit=1, start=commit)[0]
    what = [*found.parents[:1], commit] if found.parents else ["--root", "--no-commit-id", commit]
    files, patch, is_truncated = _changes(repository_path(project), what, [])
    return CommitDiff(commit=found, files=files, patch=patch, is_truncated=is_truncated)


def compare(project: Project, base: str, target: str, path: str = "") -> Comparison:
    """What changed from `base` to `target`, whichever came first, of one file or folder if given. Raises NotFound."""
    base, target = check_commit(project, base, field="base"), check_commit(project, target, field="target")
    paths = ["--", path] if path else []
    files, patch, is_truncated = _changes(repository_path(project), [base, target], paths)
    first, second = (history(project, limit=1, start=sha)[0] for sha in (base, target))
    return Comparison(base=first, target=second, files=files, patch=patch, is_truncated=is_truncated)


def _changes(repository: Path, what: Sequence[str], paths: Sequence[str]) -> tuple[tuple[ChangedFile, ...], str, bool]:
    numbers = run(repository, ["diff-tree", *_COMMON, "-z", "--numstat", *what, *paths]).decode(errors="replace")
    files = []
    for line in numbers.split("\0")[:-1]:
        added, removed, path = line.split("\t", 2)
        files.append(ChangedFile(path, *(int(n) if n.isdigit() else None for n in (added, removed))))
    patch, is_more = run_for_beginning(repository, ["diff-tree", *_COMMON, "--patch", *what, *paths], MAX_PATCH_BYTES)
    return tuple(files), patch.decode(errors="replace"), is_more
