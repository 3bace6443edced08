"""How much one commit may hold. A pack of a few kilobytes can name the same content a million times over: what a commit
has is counted while Git lists it, and Git is ended where it is too much."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from modelwright.core.errors import Unavailable, ValidationFailed
from projects.source.git import GitRefused, command, environment, missing

MAX_FILES = 100_000
MAX_BYTES = 4 * 1024**3
# No path that a project takes is nearly as long.
MAX_LINE = 16 * 1024
SECONDS = 120
_BLOCK = 64 * 1024


class Listed(NamedTuple):
    """A file, a link or a submodule of a commit. `size` is in bytes, none for a submodule."""

    mode: str
    object_id: str
    size: int
    path: str


def files_of(repository: Path, commit: str, *, see: Mapping[str, str] | None = None) -> Iterator[Listed]:
    """Everything that the commit has, in Git's order. Raises ValidationFailed as soon as it is more than a project
    takes; GitRefused, Unavailable."""
    count = total = 0
    for line in _lines(repository, ["ls-tree", "-r", "-l", "-z", "--full-tree", commit], see):
        facts, _, path = line.partition("\t")
        mode, _, object_id, size = facts.split()
        one = Listed(mode, object_id, int(size) if size.isdigit() else 0, path)
        count, total = count + 1, total + one.size
        if count > MAX_FILES or total > MAX_BYTES:
            raise _too_much()
        yield one


def _lines(repository: Path, arguments: list[str], see: Mapping[str, str] | None) -> Iterator[str]:
    """What Git prints, split at each NUL, while it prints it."""
    with tempfile.TemporaryFile() as said:
        try:
            git = subprocess.Popen(
                command(repository, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environment(see),
            )
        except FileNotFoundError:
            raise missing() from None
        timer = threading.Timer(SECONDS, git.kill)
        timer.daemon = True
        timer.start()
        try:
            assert git.stdout is not None  # noqa: S101 - asked for as a pipe
            yield from _split(git.stdout)
            status, is_late = git.wait(), not timer.is_alive()
        finally:
            timer.cancel()
            git.kill()
            git.communicate()
        if is_late:
            raise Unavailable(f"Git did not list the files within {SECONDS} seconds.", remedy="Try again in a moment.")
        if status:
            said.seek(0)
            raise GitRefused(said.read(2000).decode(errors="replace").strip())


def _split(stream: IO[bytes]) -> Iterator[str]:
    rest = b""
    while block := stream.read1(_BLOCK):  # type: ignore[attr-defined]  # a pipe of Popen is buffered
        *whole, rest = (rest + block).split(b"\0")
        yield from (line.decode(errors="surrogateescape") for line in whole)
        if len(rest) > MAX_LINE:
            raise _too_much()


def _too_much() -> ValidationFailed:
    return ValidationFailed(
        f"The commit has more than {MAX_FILES:,} files, or more than {MAX_BYTES // 1024**3} GiB.",
        remedy="Keep data out of Git: let runs read it.",
    )
