"""Who holds a data directory, and what of its platform runs: the lock and `platform.json`."""

import fcntl
import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import psutil

from modelwright.local.layout import Layout

# Somebody who only looks whether it is held has the lock for a moment.
LOOK_SECONDS = 1.0


class AlreadyRunning(Exception):
    """Another process holds the data directory; the text says which and what to do."""


@dataclass
class Hold:
    """A held data directory. The lock falls with the process, however that ends."""

    layout: Layout
    file: IO[str]

    def release(self) -> None:
        self.layout.platform_file.unlink(missing_ok=True)
        self.file.close()


def take(layout: Layout) -> Hold:
    """Take the data directory. Raises `AlreadyRunning` when somebody else holds it."""
    file = layout.lock_file.open("a+")
    until = time.monotonic() + LOOK_SECONDS
    while not _lock(file, fcntl.LOCK_EX):
        if time.monotonic() < until:
            time.sleep(0.02)
            continue
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise AlreadyRunning(_who_holds(layout, holder))
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return Hold(layout, file)


def write_platform(layout: Layout, content: dict[str, Any]) -> None:
    """Write `platform.json` whole; only its owner may read it, for it names databases."""
    temporary = layout.platform_file.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    temporary.replace(layout.platform_file)


def read_platform(layout: Layout) -> dict[str, Any] | None:
    """What the running platform wrote, or None when there is none."""
    try:
        content: dict[str, Any] = json.loads(layout.platform_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content


def is_held(layout: Layout) -> bool:
    """Does a platform run on this data directory right now?"""
    if not layout.lock_file.exists():
        return False
    with layout.lock_file.open("a") as file:
        # Shared, so that those who only look are not taken for holders by each other.
        return not _lock(file, fcntl.LOCK_SH)


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def describe_process(pid: int) -> dict[str, float | int]:
    """A process id with its start time, so that it cannot be taken for another one later."""
    return {"pid": pid, "started": psutil.Process(pid).create_time()}


def end_leftovers(layout: Layout) -> list[str]:
    """End what a platform that was killed has left running. Returns the names of what was ended.

    Only processes that `platform.json` names are touched, and only when their start times agree. Nobody finds that file
    afterwards: what it says of a platform is over, and the one that starts writes its own once it runs.
    """
    content = read_platform(layout)
    ended = []
    for name, entry in (content or {}).get("processes", {}).items():
        if (process := _same_process(entry)) is not None:
            _end(process, signal.SIGINT if name == "postgres" else signal.SIGTERM)
            ended.append(name)
    layout.platform_file.unlink(missing_ok=True)
    return ended


def _end(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(10)


def _same_process(entry: dict[str, Any]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(entry["pid"]))
        return process if abs(process.create_time() - float(entry["started"])) < 1.0 else None
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return None


def _who_holds(layout: Layout, holder: str) -> str:
    page = (read_platform(layout) or {}).get("web_url")
    lines = [f"{layout.data} is in use: a platform runs on it already (process {holder})."]
    if page:
        lines.append(f"Its page is {page}.")
    lines.append(f"Stop that one with Ctrl-C or `kill {holder}`, or give this one its own directory with --data-dir.")
    return "\n".join(lines)
