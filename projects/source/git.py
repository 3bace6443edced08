"""Runs Git on a bare repository with everything switched off that a repository or a user could bring along."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelwright.core.errors import PlatformError, Unavailable, ValidationFailed

TIMEOUT_SECONDS = 30
MAX_OUTPUT_BYTES = 128 * 1024 * 1024
_MOST_SAID = 64 * 1024

_OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.quotePath=false",
    "protocol.allow=never",
    "gc.auto=0",
    # Larger files are passed on as they are: neither held in memory nor compared line by line.
    "core.bigFileThreshold=5m",
    "commit.gpgSign=false",
    "log.showSignature=false",
)
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_ALLOW_PROTOCOL": "",
}


class GitRefused(Exception):
    """Git ended with an error; the message is what it said, `status` its exit status where that is known."""

    def __init__(self, said: str, status: int | None = None) -> None:
        super().__init__(said)
        self.status = status


def command(repository: Path, *arguments: str) -> list[str]:
    """The command line that runs Git on `repository`."""
    options = [part for option in _OPTIONS for part in ("-c", option)]
    return ["git", *options, "--git-dir", str(repository), *arguments]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a Git process: nothing of the caller's is inherited."""
    return {**_ENVIRONMENT, **(extra or {})}


def missing() -> PlatformError:
    """The error for a host without Git."""
    return Unavailable(
        "The program `git` is not installed on this host, so project files cannot be read or written.",
        remedy="Install it, for example with `apt-get install git`.",
    )


def run(
    repository: Path,
    arguments: Sequence[str],
    *,
    stdin: bytes = b"",
    extra_environment: Mapping[str, str] | None = None,
) -> bytes:
    """Run Git and return what it printed. Raises GitRefused on an error; Unavailable when it hangs, is missing or was
    ended from outside, which is no answer; ValidationFailed where it prints more than anybody wants to have in memory:
    a small repository can hold that."""
    with tempfile.TemporaryFile() as said:
        try:
            git = subprocess.Popen(
                command(repository, *arguments),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environment(extra_environment),
            )
        except FileNotFoundError:
            raise missing() from None
        printed, is_more, is_late = _printed(git, stdin)
        if is_more:
            raise ValidationFailed(
                f"Git has more than {MAX_OUTPUT_BYTES // 1024**2} MiB to say about it.",
                remedy="Ask for less at once; a repository with so many files is not one of code alone.",
            )
        if is_late:
            raise Unavailable(f"Git did not answer within {TIMEOUT_SECONDS} seconds.", remedy="Try again in a moment.")
        if git.returncode < 0:
            raise Unavailable(
                f"Git was ended by signal {-git.returncode} before it answered; the host may be short of memory.",
                remedy="Try again in a moment.",
            )
        if git.returncode:
            said.seek(0)
            raise GitRefused(said.read(_MOST_SAID).decode(errors="replace").strip(), git.returncode)
    return printed


def _printed(git: subprocess.Popen[bytes], stdin: bytes) -> tuple[bytes, bool, bool]:
    """What it printed, at most MAX_OUTPUT_BYTES; whether there would be more; and whether it took too long. It has
    ended then."""
    assert git.stdout is not None  # noqa: S101 - asked for as a pipe
    timer = threading.Timer(TIMEOUT_SECONDS, git.kill)
    timer.daemon = True
    timer.start()
    feeder = threading.Thread(target=_feed, args=(git, stdin), daemon=True) if stdin else None
    if feeder is not None:
        feeder.start()
    try:
        printed = git.stdout.read(MAX_OUTPUT_BYTES + 1)
        is_more = len(printed) > MAX_OUTPUT_BYTES
        if is_more:
            git.kill()
        git.wait()
    finally:
        is_late = not timer.is_alive()
        timer.cancel()
        git.kill()
        git.wait()
        if feeder is not None:
            feeder.join()
        git.stdout.close()
    return printed[:MAX_OUTPUT_BYTES], is_more, is_late


def _feed(git: subprocess.Popen[bytes], stdin: bytes) -> None:
    assert git.stdin is not None  # noqa: S101 - asked for as a pipe
    # One that ends early reads no further.
    with contextlib.suppress(OSError):
        git.stdin.write(stdin)
    with contextlib.suppress(OSError):
        git.stdin.close()


def run_for_beginning(repository: Path, arguments: Sequence[str], max_bytes: int) -> tuple[bytes, bool]:
    """The first `max_bytes` of what Git prints, and whether there would be more; Git is ended then.

    Raises GitRefused on an error, Unavailable when it hangs or is missing.
    """
    try:
        git = subprocess.Popen(
            command(repository, *arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
        )
    except FileNotFoundError:
        raise missing() from None
    timer = threading.Timer(TIMEOUT_SECONDS, git.kill)
    timer.start()
    try:
        assert git.stdout is not None  # noqa: S101 - asked for as a pipe
        data = git.stdout.read(max_bytes + 1)
        is_more = len(data) > max_bytes
        if is_more:
            git.kill()
        git.communicate()
    finally:
        is_late = not timer.is_alive()
        timer.cancel()
    if is_late:
        raise Unavailable(f"Git did not answer within {TIMEOUT_SECONDS} seconds.", remedy="Ask for less at once.")
    if git.returncode and not is_more:
        raise GitRefused(f"Git ended with code {git.returncode}.")
    return data[:max_bytes], is_more


def read_object(repository: Path, name: str, max_bytes: int) -> tuple[str, str, int, bytes] | None:
    """Return id, type, size and at most the first `max_bytes` of the object called `name`, None where there is none.

    `name` is `<commit>` or `<commit>:<path>` and holds no line break.
    """
    try:
        with subprocess.Popen(
            command(repository, "cat-file", "--batch"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        ) as git:
            assert git.stdin is not None  # noqa: S101 - asked for as a pipe
            assert git.stdout is not None  # noqa: S101
            git.stdin.write(f"{name}\n".encode())
            git.stdin.flush()
            header = git.stdout.readline().decode(errors="replace").split()
            if len(header) != 3 or not header[2].isdigit():
                git.kill()
                return None
            data = git.stdout.read(min(max_bytes, int(header[2])))
            # The rest of a large object is not wanted.
            git.kill()
    except FileNotFoundError:
        raise missing() from None
    return header[0], header[1], int(header[2]), data
