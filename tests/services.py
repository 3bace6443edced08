"""A pytest plugin (`-p tests.services`): one real PostgreSQL and one real Redis for a whole test session.

It starts them when it is imported, which is before pytest-django loads the settings, unless `DATABASE_URL` and
`REDIS_URL` name servers already: xdist's workers inherit those of the controlling process.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from modelwright.local.layout import REPOSITORY, Layout
from modelwright.local.postgres import Postgres, open_way_to
from modelwright.local.process import Child, start, wait_until
from modelwright.local.redis import Redis

READY_SECONDS = 90

# Where nothing may be written, pytest rewrites the assertions of all test files in each process anew, which takes ten
# seconds, and every gateway and every server that a test starts compiles the platform's code.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_owner = os.getpid()
_directory: Path | None = None
_children: list[Child] = []


def _start_services() -> None:
    """Start what the environment does not name and put the addresses into the environment."""
    global _directory
    _directory = Path(tempfile.mkdtemp(prefix="mwt-", dir="/tmp"))
    layout = Layout(_directory)
    os.environ.setdefault("MODELWRIGHT_DATA_DIR", str(_directory))
    layout.create()
    if not os.environ.get("DATABASE_URL"):
        _start_postgres(layout)
    if not os.environ.get("REDIS_URL"):
        _start_redis(layout)
    _set_defaults(layout)


def _start_postgres(layout: Layout) -> None:
    server = Postgres(layout.postgres, durable=False)
    server.prepare()
    open_way_to(layout.postgres / "data")
    child = start(server.program(), layout.logs / "postgres.log")
    _children.append(child)
    wait_until(child.program.ready, child, READY_SECONDS)
    server.create_databases()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        # For tests/emptying.py.
        connection.execute("GRANT SET ON PARAMETER session_replication_role TO modelwright")
    os.environ["DATABASE_URL"] = server.url("modelwright")
    os.environ["MLFLOW_DATABASE_URL"] = server.url("mlflow")


def _start_redis(layout: Layout) -> None:
    server = Redis(layout.redis, durable=False)
    server.prepare()
    child = start(server.program(), layout.logs / "redis.log")
    _children.append(child)
    wait_until(child.program.ready, child, READY_SECONDS)
    os.environ["REDIS_URL"] = server.url()


def _set_defaults(layout: Layout) -> None:
    layout.secret_key.write_text("only-for-tests-" + "0" * 50)
    defaults = {
        "DJANGO_SETTINGS_MODULE": "modelwright.settings",
        "MODELWRIGHT_SECRET_KEY_FILE": str(layout.secret_key),
        "MODELWRIGHT_MLFLOW_SOCKET": str(layout.sockets / "mlflow.sock"),
        "MODELWRIGHT_WEB_URL": "http://127.0.0.1:8000",
        "MODELWRIGHT_GATEWAY_URL": "http://127.0.0.1:8001",
        "MODELWRIGHT_HOST_NAME": "test-host",
        "MODELWRIGHT_RUNTIME_SOURCE": str(REPOSITORY / "platform" / "runtime"),
        "MODELWRIGHT_HOSTS_DATABASE_URL": "postgresql://modelwright@db.example.org/modelwright",
        "MODELWRIGHT_HOSTS_REDIS_URL": "redis://redis.example.org/0",
        "MODELWRIGHT_HOSTS_WEB_URL": "https://platform.example.org",
        "MODELWRIGHT_HOSTS_BLOBS": "s3://modelwright?endpoint=https://s3.example.org",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _take_own_folder(worker: str) -> None:
    """Workers of xdist share the servers, not the folder: the watcher of one would end what another one runs."""
    layout = Layout(Path(os.environ["MODELWRIGHT_DATA_DIR"]) / worker)
    layout.create()
    layout.secret_key.write_text(Path(os.environ["MODELWRIGHT_SECRET_KEY_FILE"]).read_text())
    os.environ["MODELWRIGHT_DATA_DIR"] = str(layout.data)


def stop_services() -> None:
    """Stop what this process started and remove its directory. Doing it twice is harmless."""
    global _directory
    if os.getpid() != _owner:
        return
    while _children:
        child = _children.pop()
        child.process.send_signal(signal.SIGQUIT if child.program.name == "postgres" else signal.SIGTERM)
        child.wait_or_kill(10)
    if _directory is not None:
        shutil.rmtree(_directory, ignore_errors=True)
        _directory = None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have temporary folders made in one of this call's own.

    Another pytest that starts closes the usual one to everybody but its owner, and so to the user that a PostgreSQL
    which some test has just started runs as.
    """
    if _directory is not None and not config.option.basetemp:
        config.option.basetemp = str(_directory / "t")


def pytest_unconfigure(config: pytest.Config) -> None:
    stop_services()


if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
    atexit.register(stop_services)
    _start_services()
elif worker := os.environ.get("PYTEST_XDIST_WORKER"):
    _take_own_folder(worker)
