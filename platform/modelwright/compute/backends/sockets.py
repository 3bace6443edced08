"""Where a workload's own Unix socket lies below a host's folder of sockets, and how it is opened for somebody else.

A workload may write where its socket is, so what lies there is not believed: nothing on the way may be a link.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{1,19}")


def is_workload_name(name: str) -> bool:
    """Whether it is `<workload id>-<fence>` and nothing else, so that no path can be made of it."""
    return _NAME.fullmatch(name) is not None


def socket_parts(name: str) -> tuple[str, ...]:
    """Folders and file of the workload's socket, below the host's folder of sockets."""
    return (name, "s")


def socket_path(folder: Path, name: str) -> Path:
    """The workload's socket below `folder`, the host's folder of sockets."""
    return folder.joinpath(*socket_parts(name))


def open_socket(folder: Path, name: str) -> int:
    """A descriptor of the workload's socket file; who connects to `/proc/self/fd/<it>` connects to that very file.

    Raises FileNotFoundError when there is no such socket, or when anything but a socket in plain folders is there.
    """
    if not is_workload_name(name):
        raise FileNotFoundError(f"{name!r} is no name of a workload")
    *folders, file = socket_parts(name)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            descriptor = _step(descriptor, part, os.O_DIRECTORY)
        descriptor = _step(descriptor, file, 0)
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(f"{file} of {name} is no socket")
    except OSError as error:
        os.close(descriptor)
        raise FileNotFoundError(f"no socket of {name}: {error}") from error
    return descriptor


def _step(descriptor: int, part: str, flags: int) -> int:
    below = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=descriptor)
    os.close(descriptor)
    return below


@contextmanager
def own_socket(path: Path) -> Iterator[str]:
    """The path to connect to for a socket on this machine. A workload may write where it lies: no link is followed.

    Raises FileNotFoundError.
    """
    folder = path.parent
    if folder.name and path == socket_path(folder.parent, folder.name) and is_workload_name(folder.name):
        descriptor = open_socket(folder.parent, folder.name)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        yield str(path)
