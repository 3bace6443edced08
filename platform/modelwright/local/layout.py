"""Where everything of an installation lies below its data directory."""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

# A Unix socket's path may hold 107 bytes. A replica's socket is named by a UUID and a fence, which needs up to 60.
LONGEST_SOCKET_DIRECTORY = 46
# What PostgreSQL needs has another owner, and what lies in `static` is for everybody.
PRIVATE = (
    *("blobs", "environments", "gateway", "logs", "mlflow", "models", "redis", "repositories", "secrets", "sessions"),
    *("sockets", "workloads"),
)


@dataclass(frozen=True)
class Layout:
    """Paths of one data directory. Nothing is created before `create()`."""

    data: Path

    @classmethod
    def from_environment(cls) -> "Layout":
        """The data directory that `MODELWRIGHT_DATA_DIR` names, else `.modelwright` in the clone."""
        return cls(Path(os.environ.get("MODELWRIGHT_DATA_DIR") or REPOSITORY / ".modelwright").absolute())

    @classmethod
    def named_in(cls, arguments: list[str]) -> tuple["Layout", list[str]]:
        """The data directory that `--data-dir` names, else as `from_environment`; and the other
        arguments, for commands that hand theirs on to another program."""
        rest: list[str] = []
        named = ""
        words = iter(arguments)
        for word in words:
            if word == "--data-dir":
                named = next(words, "")
            elif word.startswith("--data-dir="):
                named = word.removeprefix("--data-dir=")
            else:
                rest.append(word)
        return (cls(Path(named).absolute()) if named else cls.from_environment()), rest

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def redis(self) -> Path:
        return self.data / "redis"

    @property
    def mlflow_artifacts(self) -> Path:
        return self.data / "mlflow" / "artifacts"

    @property
    def gateway(self) -> Path:
        return self.data / "gateway"

    @property
    def workloads(self) -> Path:
        return self.data / "workloads"

    @property
    def sockets(self) -> Path:
        """`sockets/` below the data directory, or a short link to it where that path is too long for a socket."""
        return short_path(self.data / "sockets")

    @property
    def lock_file(self) -> Path:
        return self.data / "up.lock"

    @property
    def platform_file(self) -> Path:
        """Addresses and process ids of the running platform; absent when it does not run."""
        return self.data / "platform.json"

    @property
    def admin_password(self) -> Path:
        return self.secrets / "admin-password"

    @property
    def admin_created(self) -> Path:
        """Exists once the first administrator does."""
        return self.secrets / "admin-created"

    @property
    def metrics_token(self) -> Path:
        """Whoever knows it may read `/metrics` of web and gateway."""
        return self.secrets / "metrics-token"

    @property
    def sessions_key(self) -> Path:
        """What web and the proxy of sessions sign tickets with."""
        return self.secrets / "sessions-key"

    @property
    def secret_key(self) -> Path:
        return self.secrets / "secret-key"

    @property
    def redis_password(self) -> Path:
        return self.secrets / "redis-password"

    def create(self) -> None:
        """Make the directories. What people's data, code and secrets lie in is closed to everybody else."""
        self.data.mkdir(parents=True, exist_ok=True)
        for name in PRIVATE:
            path = self.data / name
            path.mkdir(mode=0o700, exist_ok=True)
            # One of an earlier release was open.
            path.chmod(0o700)
        for path in (self.mlflow_artifacts, self.gateway / "spool"):
            path.mkdir(parents=True, exist_ok=True)
        real = self.data / "sockets"
        if self.sockets != real:
            link(self.sockets, real)


def short_path(path: Path) -> Path:
    """`path` itself, or where it is too long to hold sockets a name in `/tmp` made from its digest."""
    if len(os.fsencode(path)) <= LONGEST_SOCKET_DIRECTORY:
        return path
    return Path("/tmp") / f"mw-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"  # noqa: S108 - link() checks whose it is


def link(short: Path, real: Path) -> None:
    """Make `short` a symbolic link to `real`. Raises `FileExistsError` when somebody else's file is there."""
    if short.is_symlink() and short.readlink() == real:
        if short.lstat().st_uid != os.geteuid():
            raise FileExistsError(f"{short} belongs to another user. Use a data directory with a shorter path.")
        return
    short.symlink_to(real)


def package_folder(name: str) -> Path:
    """The folder of an installed package, without importing it. Raises `RuntimeError` where it is not installed."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"The package {name} is not installed. Run `uv sync --locked`.")
    return Path(spec.origin).parent
