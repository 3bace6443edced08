"""Runs Git where it may take minutes: within bounds, telling how far it is, ended when nobody wants it any more."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from modelwright.core.errors import Unavailable, ValidationFailed
from projects.source.git import missing

Tell = Callable[[str], bool]
_ASK_SECONDS = 0.5
_MOST_SAID = 64 * 1024
# Nobody writes any more then; a machine may be slow.
_READ_SECONDS = 60
_MEMORY_KIB = 4 * 1024 * 1024
# What Git says itself; what the server says begins with "remote:".
_PROGRESS = re.compile(r"(?:^|[\r\n])((?:Receiving objects|Resolving deltas): [^\r\n,]{0,60}(?:, [^\r\n|,]{0,30})?)")
# No file grows beyond that, whatever the server sends, and Git says so when it cannot write on; memory likewise, where
# systems can.
_BOUNDED = 'trap "" XFSZ; ulimit -f "$0"; ulimit -v "$1" 2>/dev/null || :; shift; exec "$@"'


class Cancelled(Exception):
    """It is not wanted any more."""


class _Said:
    """The end of what Git says, read by a thread so that it never waits for us."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._text = b""
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True, name="what-git-says")
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        while piece := os.read(stream.fileno(), 8192):
            self._text = (self._text + piece)[-_MOST_SAID:]

    @property
    def text(self) -> str:
        return self._text.decode(errors="replace")

    def whole(self) -> str:
        """All of it, once Git has ended."""
        self._thread.join(_READ_SECONDS)
        return self.text


def run_bounded(
    git: Sequence[str], *, environment: Mapping[str, str], folder: Path, most_bytes: int, seconds: float, tell: Tell
) -> tuple[int, str]:
    """Run the command line; return its exit status and the end of what it said.

    `tell` is told how far it is twice a second; once it answers False, Git is ended. Raises Cancelled, Unavailable
    after `seconds`, ValidationFailed where `folder` has more than `most_bytes`.
    """
    bounds = [str(most_bytes // 512), str(_MEMORY_KIB)]
    try:
        process = subprocess.Popen(
            ["sh", "-c", _BOUNDED, *bounds, *git],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
    except FileNotFoundError:
        raise missing() from None
    until = time.monotonic() + seconds
    with process:
        assert process.stderr is not None  # noqa: S101 - asked for as a pipe
        said = _Said(process.stderr)
        try:
            while not _ended(process):
                if not tell(progress_of(said.text)):
                    raise Cancelled
                if time.monotonic() > until:
                    raise Unavailable(
                        f"The server did not send it within {seconds / 60:.0f} minutes.",
                        remedy="Try again when the network is faster, or clone it yourself and push it to the project.",
                    )
                if _bytes_in(folder) > most_bytes:
                    raise too_large(most_bytes)
        finally:
            # What it started, such as the program that speaks https, ends with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process.wait(), said.whole()


def too_large(most_bytes: int) -> ValidationFailed:
    """The error for a repository that is more than a project takes."""
    return ValidationFailed(
        f"The repository has more than {most_bytes // 1024**2} MiB.",
        remedy="Take what is large out of its history there, or import a branch without it; data belongs to runs.",
    )


def progress_of(said: str) -> str:
    """How far Git says that it is, empty where it says nothing yet."""
    found = _PROGRESS.findall(said)
    return str(found[-1]).strip() if found else ""


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_ASK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _bytes_in(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            # Git renames and removes its files meanwhile.
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
