"""Fills the working folder of a workload: a commit of a Git repository, then single files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from modelwright.compute.backends.base import GitSource, SourceError

_GIT = ("git", "-c", "core.hooksPath=/dev/null")
_TIMEOUT_SECONDS = 300


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
    archive = [*_GIT, "--git-dir", source.repository, "archive", "--format=tar", source.commit]
    with subprocess.Popen(archive, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as git:
        unpack = subprocess.run(
            ["tar", "-x", "-f", "-", "-C", str(folder), "--no-same-owner"],
            stdin=git.stdout,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        errors = git.stderr.read() if git.stderr else b""
    if git.returncode or unpack.returncode:
        text = (errors + unpack.stderr).decode(errors="replace").strip()
        raise SourceError(f"Commit {source.commit[:12]} could not be checked out: {text}")
