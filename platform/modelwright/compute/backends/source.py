"""Fills the working folder of a workload: a commit of a Git repository, then single files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from modelwright.compute.backends.base import GitSource, SourceError

_GIT = ("git", "-c", "core.hooksPath=/dev/null")
_TIMEOUT_SECONDS = 300
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def prepare_work(folder: Path, *, source: GitSource | None, files: Mapping[str, str]) -> None:
    """Makes `folder` afresh with the files of the commit and then `files`. Raises SourceError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    if source is not None:
        _check_out(folder, source)
    for name, text in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise SourceError(f"The file {name!r} would lie outside the working folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _check_out(folder: Path, source: GitSource) -> None:
    if not _COMMIT.fullmatch(source.commit):
        raise SourceError(f"{source.commit!r} is not the id of a commit.")
    # Not `git archive`: there a commit's own attributes may leave files out or rewrite them.
    index = folder.parent / "index"
    command = [*_GIT, "--git-dir", source.repository, "--work-tree", str(folder), "read-tree", "--reset", "-u"]
    done = subprocess.run(
        [*command, source.commit],
        cwd=folder,
        env={**os.environ, "GIT_INDEX_FILE": str(index)},
        capture_output=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    index.unlink(missing_ok=True)
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip()
        raise SourceError(f"Commit {source.commit[:12]} could not be checked out: {text}")
