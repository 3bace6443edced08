"""One installation: its addresses, the environment of its processes and the programs it consists of."""

import os
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from modelwright.core.addresses import address
from modelwright.local import keeper
from modelwright.local.layout import REPOSITORY, Layout
from modelwright.local.mlflow_server import MlflowServer, http_answers
from modelwright.local.postgres import Postgres
from modelwright.local.process import Program
from modelwright.local.redis import Redis

ADMIN = "admin"

# Written .pyc files are what makes the second start quick; the others would point a process elsewhere.
UNWANTED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV", "MLFLOW_TRACKING_URI")


class BadEnvironment(Exception):
    """The environment or an option asks for what cannot be; the text says what to set."""


@dataclass(frozen=True)
class Reach:
    """An address of this machine, and the ports of the embedded servers there."""

    address: str
    database_port: int
    redis_port: int


@dataclass(frozen=True)
class Installation:
    """Where one platform listens, over one data directory."""

    layout: Layout
    host: str = "127.0.0.1"
    web_port: int = 8000
    gateway_port: int = 8001
    database_url: str = ""
    redis_url: str = ""
    mlflow_database_url: str = ""
    backend: str = "process"
    # Where hosts that join reach this platform, its embedded servers among it; None for nowhere.
    hosts: Reach | None = None
    sessions_port: int = 8002

    @property
    def postgres(self) -> Postgres:
        if self.hosts is None:
            return Postgres(self.layout.postgres)
        return Postgres(self.layout.postgres, address=self.hosts.address, port=self.hosts.database_port)

    @property
    def redis(self) -> Redis:
        if self.hosts is None:
            return Redis(self.layout.redis)
        password = self.layout.redis_password
        return Redis(self.layout.redis, address=self.hosts.address, port=self.hosts.redis_port, password_file=password)

    @property
    def web_url(self) -> str:
        return f"http://{self._reachable_host}:{self.web_port}"

    @property
    def gateway_url(self) -> str:
        return f"http://{self._reachable_host}:{self.gateway_port}"

    @property
    def sessions_url(self) -> str:
        """Names below `localhost` need no name server; the environment names a wildcard for people elsewhere."""
        return os.environ.get("MODELWRIGHT_SESSIONS_URL") or f"http://*.localhost:{self.sessions_port}"

    @property
    def mlflow_socket(self) -> Path:
        return self.layout.sockets / "mlflow.sock"

    @property
    def _reachable_host(self) -> str:
        return socket.gethostname() if self.host == "0.0.0.0" else self.host  # noqa: S104 - compared, not bound

    def environment(self) -> dict[str, str]:
        """The environment of every process of the platform: the caller's, with the platform's addresses."""
        return process_environment(self.addresses())

    def addresses(self) -> dict[str, str]:
        """The settings that differ from one installation to the next."""
        return {
            "DJANGO_SETTINGS_MODULE": "modelwright.settings",
            "MODELWRIGHT_DATA_DIR": str(self.layout.data),
            "DATABASE_URL": self.database_url or self.postgres.url("modelwright"),
            "MLFLOW_DATABASE_URL": self.mlflow_database_url or self.postgres.url("mlflow"),
            "REDIS_URL": self.redis_url or self.redis.url(),
            "MODELWRIGHT_SOCKETS_DIR": str(self.layout.sockets),
            "MODELWRIGHT_MLFLOW_SOCKET": str(self.mlflow_socket),
            "MODELWRIGHT_SECRET_KEY_FILE": str(self.layout.secret_key),
            "MODELWRIGHT_METRICS_TOKEN_FILE": str(self.layout.metrics_token),
            "MODELWRIGHT_WEB_URL": self.web_url,
            "MODELWRIGHT_GATEWAY_URL": self.gateway_url,
            "MODELWRIGHT_SESSIONS_URL": self.sessions_url,
            "MODELWRIGHT_SESSIONS_KEY_FILE": str(self.layout.sessions_key),
            "MODELWRIGHT_BACKEND": self.backend,
            "MODELWRIGHT_KEEPER_SOCKET": str(self.layout.sockets / keeper.SOCKET),
            "MODELWRIGHT_HOST_NAME": os.environ.get("MODELWRIGHT_HOST_NAME") or socket.gethostname(),
            "MODELWRIGHT_RUNTIME_SOURCE": str(REPOSITORY / "platform" / "runtime"),
            **self._told_to_hosts(),
        }

    def _told_to_hosts(self) -> dict[str, str]:
        """What hosts that join are told, as far as the environment does not say it."""
        if self.hosts is None:
            return {}
        host = f"[{self.hosts.address}]" if ":" in self.hosts.address else self.hosts.address
        told = {
            "MODELWRIGHT_HOSTS_WEB_URL": f"http://{host}:{self.web_port}",
            "MODELWRIGHT_HOSTS_GATEWAY_URL": f"http://{host}:{self.gateway_port}",
        }
        if not self.database_url:
            told["MODELWRIGHT_HOSTS_DATABASE_URL"] = self.postgres.network_url("modelwright")
            told["MODELWRIGHT_HOSTS_DATABASE_ADMIN_URL"] = self.postgres.url("postgres")
        if not self.redis_url:
            told["MODELWRIGHT_HOSTS_REDIS_USERS"] = "yes"
        return {name: os.environ.get(name) or value for name, value in told.items()}

    def prepare(self) -> None:
        """Directories, secrets and the embedded servers' files. Doing it twice is harmless."""
        self.layout.create()
        write_secret(self.layout.secret_key, secrets.token_urlsafe(50))
        write_secret(self.layout.admin_password, secrets.token_urlsafe(12))
        write_secret(self.layout.redis_password, secrets.token_urlsafe(24))
        write_secret(self.layout.metrics_token, secrets.token_urlsafe(32))
        write_secret(self.layout.sessions_key, secrets.token_urlsafe(32))
        if not self.database_url:
            self.postgres.prepare()
        if not self.redis_url:
            self.redis.prepare()

    def servers(self) -> list[Program]:
        """The embedded servers that the environment does not replace."""
        return [
            *([] if self.database_url else [self.postgres.program()]),
            *([] if self.redis_url else [self.redis.program()]),
        ]

    def programs(self) -> list[Program]:
        """Everything, in the order in which a person thinks of it."""
        environment = self.environment()
        servers = self.servers()
        started = tuple(program.name for program in servers)
        addresses = (self.web_url, self.gateway_url)
        containers = [keeper.program(self.layout, environment, addresses)] if self.backend == "docker" else []
        kept = tuple(program.name for program in containers)
        mlflow = MlflowServer(environment["MLFLOW_DATABASE_URL"], self.layout.mlflow_artifacts, self.mlflow_socket)
        return [
            *servers,
            self._migrate(environment, started),
            *([] if self.layout.admin_created.exists() else [self._create_admin(environment)]),
            mlflow.program(environment, after=started),
            self._web(environment),
            *containers,
            self._worker(environment, (*started, *kept)),
            self._manage("watcher", "Watcher (runs, replicas, schedules)", "watch", "watching", environment, kept),
            self._gateway(environment),
            self._sessions(environment, started),
            self._manage("shipper", "Shipper (predictions on record)", "ship", "shipping", environment),
        ]

    def _migrate(self, environment: Mapping[str, str], servers: tuple[str, ...]) -> Program:
        return Program(
            name="migrate",
            title="Database tables",
            argv=[sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "1"],
            env=environment,
            cwd=REPOSITORY,
            ready=lambda: False,
            after=servers,
            once=True,
            ready_seconds=300,
        )

    def _create_admin(self, environment: Mapping[str, str]) -> Program:
        command = ["create_admin", "--username", ADMIN, "--password-file", str(self.layout.admin_password)]
        return Program(
            name="administrator",
            argv=[sys.executable, "manage.py", *command],
            env=environment,
            cwd=REPOSITORY,
            ready=lambda: False,
            after=("migrate",),
            once=True,
        )

    def _web(self, environment: Mapping[str, str]) -> Program:
        return Program(
            name="web",
            title="Web (pages and REST API)",
            argv=[
                *(sys.executable, "-m", "gunicorn", "modelwright.asgi:application"),
                *("--worker-class", "modelwright.local.web_worker.WebWorker", "--workers", "2", "--preload"),
                *(part for place in self._web_places() for part in ("--bind", place)),
                *("--graceful-timeout", "5", "--timeout", "120"),
                *("--worker-tmp-dir", "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"),  # noqa: S108
                "--no-control-socket",
            ],
            env=environment,
            cwd=REPOSITORY,
            ready=partial(http_answers, self._probe(self.web_port), "/login/"),
            after=("migrate",),
            stop_seconds=12,
        )

    def _worker(self, environment: Mapping[str, str], servers: tuple[str, ...]) -> Program:
        log = self.layout.logs / "worker.log"
        options = ["--concurrency", "2", "--prefetch-multiplier", "1", "--loglevel", "INFO"]
        return Program(
            name="worker",
            title="Worker (Celery)",
            argv=[
                *(sys.executable, "-m", "celery", "-A", "modelwright", "worker", *options),
                *("--without-gossip", "--without-mingle", "--hostname", "worker@%h"),
            ],
            env=environment,
            cwd=REPOSITORY,
            ready=partial(says, log, b" ready.", size(log)),
            after=("migrate", *servers),
        )

    def _manage(
        self,
        name: str,
        title: str,
        command: str,
        words: str,
        environment: Mapping[str, str],
        after: tuple[str, ...] = (),
    ) -> Program:
        log = self.layout.logs / f"{name}.log"
        return Program(
            name=name,
            title=title,
            argv=[sys.executable, "manage.py", command],
            env=environment,
            cwd=REPOSITORY,
            ready=partial(says, log, words.encode(), size(log)),
            after=("migrate", *after),
        )

    def _gateway(self, environment: Mapping[str, str]) -> Program:
        return Program(
            name="gateway",
            title="Gateway (predictions)",
            argv=[
                *(sys.executable, "-m", "models.gateway", "--listen", f"{self.host}:{self.gateway_port}"),
                *("--routes", str(self.layout.gateway / "routes.json"), "--spool", str(self.layout.gateway / "spool")),
                *("--processes", os.environ.get("MODELWRIGHT_GATEWAY_PROCESSES") or "auto"),
                *(("--also", self.hosts.address) if self.hosts is not None and self._hosts_are_elsewhere else ()),
            ],
            env={**environment, "MODELWRIGHT_NATIVE": os.environ.get("MODELWRIGHT_GATEWAY_NATIVE", "")},
            cwd=REPOSITORY,
            ready=partial(http_answers, self._probe(self.gateway_port), "/health/live"),
        )

    def _sessions(self, environment: Mapping[str, str], servers: tuple[str, ...]) -> Program:
        return Program(
            name="sessions",
            title="Proxy of sessions and applications",
            argv=[sys.executable, "-m", "sessions.proxy", "--listen", f"{self.host}:{self.sessions_port}"],
            env=environment,
            cwd=REPOSITORY,
            ready=partial(http_answers, self._probe(self.sessions_port), "/health/live"),
            after=servers,
            stop_seconds=6,
        )

    def _web_places(self) -> list[str]:
        places = [f"{self.host}:{self.web_port}"]
        if self.hosts is not None and self._hosts_are_elsewhere:
            address = self.hosts.address
            places.append(f"[{address}]:{self.web_port}" if ":" in address else f"{address}:{self.web_port}")
        return places

    @property
    def _hosts_are_elsewhere(self) -> bool:
        """Whether hosts come to an address that pages and gateway would not listen at for others."""
        return self.hosts is not None and self.host not in (self.hosts.address, "0.0.0.0")  # noqa: S104 - compared

    def _probe(self, port: int) -> tuple[str, int]:
        return ("127.0.0.1" if self.host == "0.0.0.0" else self.host, port)  # noqa: S104 - compared, not bound


def process_environment(addresses: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of the platform: the caller's, with these settings."""
    base = {key: value for key, value in os.environ.items() if key not in UNWANTED}
    path = f"{Path(sys.executable).parent}:{base.get('PATH', os.defpath)}"
    if uv := shutil.which("uv", path=path):
        base["MODELWRIGHT_UV"] = uv
    return {**base, **addresses, "PATH": path, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}


def size(path: Path) -> int:
    """A file's size in bytes; 0 when there is none."""
    return path.stat().st_size if path.exists() else 0


def says(path: Path, text: bytes, offset: int) -> bool:
    """Does the log hold `text` after `offset`?"""
    if not path.exists():
        return False
    with path.open("rb") as file:
        # A log that is shorter now has been begun anew.
        file.seek(offset if size(path) >= offset else 0)
        return text in file.read()


def write_secret(path: Path, value: str) -> None:
    """Write a file that only its owner may read, unless there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(value + "\n")


def from_environment(
    layout: Layout,
    host: str = "127.0.0.1",
    web: int = 8000,
    gateway: int = 8001,
    backend: str = "process",
    hosts: Reach | None = None,
    sessions: int = 8002,
) -> Installation:
    """An installation on the servers that `DATABASE_URL`, `MLFLOW_DATABASE_URL` and `REDIS_URL` name, if they do.

    Raises `BadEnvironment` when there is a database for the platform and none for MLflow.
    """
    database, mlflow = address("DATABASE_URL"), address("MLFLOW_DATABASE_URL")
    if database and not mlflow:
        scheme = urlsplit(database).scheme
        raise BadEnvironment(
            "DATABASE_URL names a server, so MLFLOW_DATABASE_URL must name a second database for MLflow, "
            f"for example {scheme}://…/mlflow. Unset DATABASE_URL to use the embedded PostgreSQL."
        )
    redis, mlflow = address("REDIS_URL"), mlflow if database else ""
    return Installation(layout, host, web, gateway, database, redis, mlflow, backend, hosts, sessions)
