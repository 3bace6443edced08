"""Two people's changes of one text, put together where they do not touch each other."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from projects.source.git import TIMEOUT_SECONDS, environment, missing


def merge_texts(mine: str, base: str, theirs: str) -> str | None:
    """`theirs` with what `mine` changed in `base`; None where both changed the same lines. Raises Unavailable."""
    with tempfile.TemporaryDirectory(prefix="modelwright-merge-") as scratch:
        files = []
        for name, text in (("mine", mine), ("base", base), ("theirs", theirs)):
            file = Path(scratch) / name
            file.write_text(text, encoding="utf-8", newline="")
            files.append(str(file))
        try:
            done = subprocess.run(
                ["git", "merge-file", "--stdout", *files],
                capture_output=True,
                cwd=scratch,
                env=environment({"GIT_CEILING_DIRECTORIES": "/"}),
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise missing() from None
        except subprocess.TimeoutExpired:
            return None
    return done.stdout.decode() if done.returncode == 0 else None
