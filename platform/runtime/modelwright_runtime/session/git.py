"""Runs Git in the tree of a session."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_SECONDS = 120


class GitError(Exception):
    """Git ended with an error; the message is what it said."""


def credentials(url: str, token: str) -> dict[str, str]:
    """Variables with which every Git in the session reaches the platform, without the token in any file."""
    settings = {f"http.{url}.extraHeader": f"Authorization: Bearer {token}"}
    named = {}
    for number, (key, value) in enumerate(settings.items()):
        named[f"GIT_CONFIG_KEY_{number}"] = key
        named[f"GIT_CONFIG_VALUE_{number}"] = value
    return {**named, "GIT_CONFIG_COUNT": str(len(settings)), "GIT_TERMINAL_PROMPT": "0"}


def git(
    folder: Path, *arguments: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None, tries: int = 1
) -> bytes:
    """What Git printed. Raises GitError. With `tries` it is asked again a moment later: the platform may be
    starting anew, and a signal that ends the session ends this Git, too."""
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false", "-c", "gc.auto=0", *arguments]
    said = ""
    for attempt in range(tries):
        if attempt:
            time.sleep(attempt)
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                input=stdin,
                capture_output=True,
                env={**os.environ, **(extra or {})},
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.decode(errors="replace").strip() or f"it ended with {done.returncode}"
    raise GitError(said)
