"""First process of the platform in a container (below the engine's init): takes the order, runs it, says how it ended.

It is mounted into the container and runs there as `python3 -I -S entry.py`, on the image's own Python 3.8 or newer and
with the standard library alone. The order comes through standard input, so that no secret stands in the container's
description, on a disk or on a command line.

Images come without compiled modules, and each start compiles what is imported: `json`, `socket` or `threading` alone
would keep everybody waiting for as long as the container itself takes to start. So it makes do with what is built in.
"""

# ruff: noqa: SIM105 - contextlib is one of those modules

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import _thread
import marshal
import os
import resource
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

ENDING = "/run/modelwright/ending.json"
RELAYS = "/run/modelwright/api"
SECRETS = "/run/modelwright/secrets"
# Beside this program.
MASKING = "masking.py"
ORDER_SECONDS = 60
SAMPLE_SECONDS = 0.25
UNDELIVERED = 125
NOT_STARTED = 127
LENGTH_BYTES = 4


# Signals that came from outside.
told: list[int] = []


def main() -> None:
    try:
        order = read_order(0)
    except (OSError, ValueError, EOFError, TypeError) as error:
        finish({"undelivered": str(error)}, UNDELIVERED)
    finish(*carry_out(order))


def carry_out(order: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Runs the order to its end: what to record of it, and the exit code that says the same."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    relays = [listen(*near) for near in order.get("relays", [])]
    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
        _signal.signal(number, pass_on)
    write_secrets(order.get("secret_files", {}))
    output = Output(order["masked"]) if order.get("masked") else None
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        run(order, writing, output)
    os.close(writing)
    if output is not None:
        output.start()
    with open(reading, "rb") as stream:
        problem = stream.read().decode(errors="replace")
    memory = Memory()
    _thread.start_new_thread(memory.watch, ())
    for number, relay in enumerate(relays):
        _thread.start_new_thread(serve, (relay, f"{RELAYS}/{number}.sock"))
    _, status = os.waitpid(pid, 0)
    memory.sample()
    if output is not None:
        output.finish()
    if problem:
        os.write(2, f"{problem}\n".encode())
        return {"problem": problem}, NOT_STARTED
    killer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = None if killer else os.WEXITSTATUS(status)
    ending = {"exit_code": code, "signal": killer, "peak_memory_bytes": memory.peak(), "told": len(told)}
    return ending, 128 + killer if killer else code or 0


def read_order(descriptor: int) -> dict[str, Any]:
    """The order: a length of four bytes, highest first, then a dictionary as `marshal` writes it.

    Only the platform writes there, and `marshal` is the one reader of dictionaries that needs no compiling.
    """
    length = int.from_bytes(read_exactly(descriptor, LENGTH_BYTES), "big")
    order: dict[str, Any] = marshal.loads(read_exactly(descriptor, length))  # noqa: S302
    return order


def read_exactly(descriptor: int, length: int) -> bytes:
    """Raises ValueError when the sender has gone or says nothing."""
    data = b""
    while len(data) < length:
        ready, _, _ = select.select([descriptor], [], [], ORDER_SECONDS)
        piece = os.read(descriptor, length - len(data)) if ready else b""
        if not piece:
            raise ValueError("its order did not arrive")
        data += piece
    return data


def write_secrets(files: dict[str, str]) -> None:
    """Into memory of the container that only its user reads."""
    for name, text in files.items():
        descriptor = os.open(f"{SECRETS}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(text.encode())


class Output:
    """What the workload writes, on its way to the engine, with `***` in place of `texts`."""

    def __init__(self, texts: list[str]) -> None:
        """Reads the masking program, which nobody waits for where there is nothing to mask."""
        import sys

        sys.path.append(os.path.dirname(os.path.abspath(__file__)))
        from masking import Masker  # type: ignore[import-not-found]  # it lies beside this program

        self._masker = Masker([text.encode() for text in texts])
        self._reading, self.writing = os.pipe()
        self._over, self._end = os.pipe()
        self._done = _thread.allocate_lock()

    def start(self) -> None:
        """In the parent, after the fork."""
        os.close(self.writing)
        self._done.acquire()
        _thread.start_new_thread(self._copy, ())

    def finish(self) -> None:
        """The workload has ended: copy what it has written, whoever still holds the other end."""
        os.close(self._end)
        self._done.acquire()

    def _copy(self) -> None:
        over = False
        try:
            while True:
                ready, _, _ = select.select([self._reading], [], [], 0) if over else self._wait()
                if self._reading not in ready:
                    if over:
                        break
                    over = True
                    continue
                data = os.read(self._reading, 65536)
                if not data:
                    break
                write_all(self._masker.feed(data))
            write_all(self._masker.rest())
        finally:
            self._done.release()

    def _wait(self) -> tuple[list[int], list[int], list[int]]:
        return select.select([self._reading, self._over], [], [])


def write_all(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def pass_on(number: int, _frame: object) -> None:
    """To all of the container's processes but its init and this one. Who sends it here is outside of the container."""
    told.append(number)
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        pass


def run(order: dict[str, Any], writing: int, output: Output | None) -> NoReturn:
    """In the child: becomes the workload, or says into the pipe why not."""
    try:
        for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGPIPE):
            _signal.signal(number, _signal.SIG_DFL)
        os.setsid()
        limit_open_files(order.get("open_files"))
        if output is not None:
            os.dup2(output.writing, 1)
        # The engine reads two pipes in no order; in one, lines stay in the order in which they were written.
        os.dup2(1, 2)
        os.umask(0o077)
        os.chdir(order["directory"])
        os.execvpe(order["command"][0], order["command"], order["environment"])  # noqa: S606
    except BaseException as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        os.write(writing, f"The command {order['command'][0]!r} could not be started: {text}.".encode())
    finally:
        os._exit(NOT_STARTED)


def limit_open_files(limit: int | None) -> None:
    """Here and not by the engine, which refuses more than it may give itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit is not None:
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


class Memory:
    """The most memory that all processes of this container held together, without the files that the kernel caches."""

    SOURCES = (("/sys/fs/cgroup/memory/memory.stat", "total_rss "), ("/sys/fs/cgroup/memory.stat", "anon "))

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.highest = 0

    def watch(self) -> None:
        """Samples for ever."""
        while True:
            time.sleep(SAMPLE_SECONDS)
            self.sample()

    def sample(self) -> None:
        """Looks once, at control groups of version 1 or 2."""
        for path, name in self.SOURCES:
            try:
                with open(path) as stream:
                    for line in stream:
                        if line.startswith(name):
                            self.highest = max(self.highest, int(line.split()[1]))
            except (OSError, ValueError):
                continue

    def peak(self) -> int:
        """Bytes. Resource usage sees short peaks that fall between two samples, but only one process at a time."""
        return max(self.highest, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)


def listen(address: str, port: int) -> _socket.socket:
    """The listening socket of a way to the platform, before anybody looks for it."""
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(64)
    return listener


def serve(listener: _socket.socket, way_out: str) -> None:
    """Joins each connection to the socket that leads out."""
    while True:
        descriptor, _ = listener._accept()  # type: ignore[attr-defined]  # typed without it
        near = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, descriptor)
        far = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            far.connect(way_out)
        except OSError:
            near.close()
            continue
        for pair in ((near, far), (far, near)):
            _thread.start_new_thread(copy, pair)


def copy(source: _socket.socket, target: _socket.socket) -> None:
    """One direction, until its sender ends it."""
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    except OSError:
        pass
    try:
        target.shutdown(_socket.SHUT_WR)
    except OSError:
        pass


def finish(ending: dict[str, Any], code: int) -> NoReturn:
    """Writes how it ended, and ends."""
    try:
        with open(ENDING, "w") as stream:
            stream.write(as_json(ending))
    except OSError:
        pass
    os._exit(code)


def as_json(ending: dict[str, Any]) -> str:
    """The record. `json` is read only when there is a text in it, which is when nothing was started."""
    if any(isinstance(value, str) for value in ending.values()):
        import json

        return json.dumps(ending)
    pairs = (f'"{name}": {"null" if value is None else str(value).lower()}' for name, value in ending.items())
    return "{" + ", ".join(pairs) + "}"


if __name__ == "__main__":
    main()
