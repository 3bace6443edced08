"""First process of the platform in a task: reads the order, fetches its files, runs it, says how it ended.

It runs as `python3 -I -S entry.py` on the image's own Python 3.8 or newer, with the standard library and the first
process of containers (`backends/docker/entry.py`), which lies beside it, alone. The order is a secret of the swarm.
`entry.py probe PORT` is the task's health check.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import http.client
import importlib.util
import json
import os
import socket
import sys
import tarfile
import time
from typing import Any, NoReturn

FOLDER = "/run/modelwright"
ORDER = "/run/secrets/order"
FIRST = "first.py"
FETCH_SECONDS = 300.0
PAUSE_SECONDS = 1.0
CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
PROBE_SECONDS = 15.0
NO_NEW_PRIVILEGES = 38
MEMORY_RAN_OUT = ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events")


def main() -> None:
    if sys.argv[1:2] == ["probe"]:
        probe(int(sys.argv[2]))
    # The engine has no such option for services.
    ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    first = load_first()
    with open(ORDER, encoding="utf-8") as stream:
        order = json.load(stream)
    try:
        for wanted in order["inputs"]:
            fetch(order, wanted)
    except (OSError, ValueError, tarfile.TarError, http.client.HTTPException) as error:
        problem = f"Its files did not reach the machine that it should run on: {error}."
        print(problem, file=sys.stderr, flush=True)
        finish(order, {"problem": problem}, first.NOT_STARTED)
    ending, code = first.carry_out(order)
    finish(order, {**ending, "out_of_memory": code != 0 and memory_ran_out()}, code)


def load_first() -> Any:
    """The program that is shared with containers."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), FIRST)
    spec = importlib.util.spec_from_file_location("first", path)
    if spec is None or spec.loader is None:
        raise OSError(f"{FIRST} is not beside this program")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fetch(order: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Tries for some minutes: whoever hands the files out may be away for a moment. Raises OSError or ValueError."""
    deadline = time.monotonic() + FETCH_SECONDS
    while True:
        try:
            fetch_once(order, wanted)
            return
        except (OSError, http.client.HTTPException, tarfile.ReadError) as error:
            if time.monotonic() > deadline or isinstance(error, PermissionError):
                raise
            time.sleep(PAUSE_SECONDS)


def fetch_once(order: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Unpacks one pack at its path and checks its digest before anything runs."""
    connection = http.client.HTTPConnection(order["shelf"], timeout=CONNECT_SECONDS)
    with contextlib.closing(connection):
        # The name has an address for each machine, also for one that has just died.
        connection.connect()
        connection.sock.settimeout(READ_SECONDS)
        headers = {"Authorization": f"Bearer {order['token']}"}
        connection.request("GET", f"/{order['key']}/{wanted['sha256']}", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise PermissionError(f"the platform answered {answer.status} for {wanted['path']}")
        stream: Any = Hashing(answer)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                place(archive, member, wanted["path"])
        while stream.read(65536):
            pass
        if stream.digest.hexdigest() != wanted["sha256"]:
            raise ValueError(f"what arrived for {wanted['path']} is not what was sent")


def place(archive: tarfile.TarFile, member: tarfile.TarInfo, root: str) -> None:
    """The first part of a member's name is that of the folder itself."""
    rest = member.name.partition("/")[2]
    path = os.path.join(root, rest) if rest else root
    if member.isdir():
        os.makedirs(path, mode=0o755, exist_ok=True)
    elif member.issym():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.symlink(member.linkname, path)
    else:
        source = archive.extractfile(member)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, member.mode)
        with open(descriptor, "wb") as target:
            while source is not None:
                data = source.read(1024 * 1024)
                if not data:
                    break
                target.write(data)


class Hashing:
    """A stream that knows the digest of what was read from it."""

    def __init__(self, source: Any) -> None:
        """`source` has `read(size)`."""
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        data: bytes = self._source.read(size)
        self.digest.update(data)
        return data


def memory_ran_out() -> bool:
    """Whether the kernel ended a process of this task because its memory was full."""
    for path in MEMORY_RAN_OUT:
        with contextlib.suppress(OSError, ValueError), open(path) as stream:
            for line in stream:
                if line.startswith("oom_kill ") and int(line.split()[1]):
                    return True
    return False


def probe(port: int) -> NoReturn:
    """Ends with 0 when something listens."""
    try:
        socket.create_connection(("127.0.0.1", port), PROBE_SECONDS).close()
    except OSError as error:
        print(error)
        os._exit(1)
    os._exit(0)


def finish(order: dict[str, Any], ending: dict[str, Any], code: int) -> NoReturn:
    """The last line of the log says how it ended; whoever stores the log takes it out."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        os.write(1, f"{order['mark']}{json.dumps(ending)}\n".encode())
    os._exit(code)


if __name__ == "__main__":
    main()
