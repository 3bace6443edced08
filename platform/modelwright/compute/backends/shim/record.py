"""Files of a workload's folder that the shim and the process backend share, and the lock that says the shim lives.

`lock`         an open-file-description lock, held by the starter and then by the shim for as long as it lives
`status.json`  the record of the shim, replaced as a whole
`stop.json`    why the workload shall end; the first reason stays
`log`          standard output and error of the workload
`work/`        its working folder
`secrets/`     files with secrets, while it lives

Beside the folders lies `.ended`, an empty file whose time says when a workload of the root ended last.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
from typing import Any

LOCK = "lock"
STATUS = "status.json"
STOP = "stop.json"
LOG = "log"
WORK = "work"
SECRETS = "secrets"
ENDED = ".ended"
MARKER = "MODELWRIGHT_WORKLOAD"

# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


def take_lock(descriptor: int) -> bool:
    """Takes the lock for the open file, so for every process that inherits it. False when another holds it."""
    request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_locked(path: str) -> bool:
    """Whether somebody holds the lock at `path`; only looks, so it never gets in a starter's way."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)


def read_json(path: str) -> dict[str, Any] | None:
    """The object in the file, None when there is no file or nothing readable in it."""
    try:
        with open(path, encoding="utf-8") as stream:
            value = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: str, value: dict[str, Any]) -> None:
    """Replaces the file as a whole: a reader sees the old or the new text, never half of one."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(value, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def tell_ended(root: str) -> None:
    """Tells whoever looks that some workload of the root has ended. Nobody depends on it: it only saves waiting."""
    with contextlib.suppress(OSError):
        descriptor = os.open(os.path.join(root, ENDED), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.utime(descriptor)
        finally:
            os.close(descriptor)


def write_json_once(path: str, value: dict[str, Any]) -> bool:
    """Writes the file unless it exists; False when another reason was there first."""
    temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(value, stream)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    return True
