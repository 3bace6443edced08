"""`python -m modelwright.local.mlflow_process`: bring MLflow's tables up to date, then serve on a Unix socket.

The same application as `mlflow server --uvicorn-opts "--uds …" --workers 1`, in one process where that takes three
and therefore imports MLflow three times, which costs 6 s at each start of the platform.
"""

import argparse
import os
import warnings
from pathlib import Path

import psycopg

from modelwright.core.addresses import address

OUTBOX = Path(__file__).with_name("outbox.sql")
UPGRADED_BY = "modelwright_mlflow_version"
# Any number that nothing else in this database locks.
UPGRADE_LOCK = 0x6D6C666C6F77


def main() -> None:
    arguments = parse()
    database = arguments.database or address("MLFLOW_DATABASE_URL")
    url = database.replace("postgresql://", "postgresql+psycopg://", 1)
    prepare_environment(url, arguments.artifacts)
    warnings.filterwarnings("ignore", category=DeprecationWarning)

    import mlflow.version

    with psycopg.connect(database, autocommit=True) as lock:
        # Two that start together, as two containers may, must not both change the tables.
        lock.execute("SELECT pg_advisory_lock(%s)", [UPGRADE_LOCK])
        if upgraded_by(database) != mlflow.version.VERSION:
            upgrade(url)
        add_own_tables(database, mlflow.version.VERSION)
    serve(arguments.socket, url)


def add_own_tables(database: str, version: str) -> None:
    """The outbox, and a note of which MLflow made the tables."""
    with psycopg.connect(database) as connection:
        connection.execute(OUTBOX.read_text().encode())
        record_upgrade(connection, version)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="postgresql://…; MLFLOW_DATABASE_URL where it is not given")
    parser.add_argument("--artifacts", required=True)
    parser.add_argument("--socket", required=True)
    return parser.parse_args()


def prepare_environment(url: str, artifacts: str) -> None:
    """What `mlflow server` hands to its uvicorn by environment. MLflow reads it while it is imported."""
    os.environ.update(
        {
            "_MLFLOW_SERVER_FILE_STORE": url,
            "_MLFLOW_SERVER_REGISTRY_STORE": url,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
            "_MLFLOW_SGI_NAME": "uvicorn",
            "_MLFLOW_IN_JOB_EXECUTOR": "false",
        }
    )


def upgraded_by(database: str) -> str:
    """The MLflow version that last brought the tables up to date, or an empty string."""
    with psycopg.connect(database) as connection:
        known = connection.execute("SELECT to_regclass(%s)", [UPGRADED_BY]).fetchone()
        if known is None or known[0] is None:
            return ""
        row = connection.execute(f"SELECT version FROM {UPGRADED_BY}".encode()).fetchone()  # noqa: S608 - a constant
    return str(row[0]) if row else ""


def record_upgrade(connection: psycopg.Connection[tuple[object, ...]], version: str) -> None:
    connection.execute(f"CREATE TABLE IF NOT EXISTS {UPGRADED_BY} (version text NOT NULL)".encode())
    connection.execute(f"DELETE FROM {UPGRADED_BY}".encode())  # noqa: S608 - a constant
    connection.execute(f"INSERT INTO {UPGRADED_BY} VALUES (%s)".encode(), [version])  # noqa: S608 - a constant


def upgrade(url: str) -> None:
    """What `mlflow db upgrade` does."""
    from mlflow.db import commands

    commands.main(["upgrade", url], standalone_mode=False)


def serve(socket: str, url: str) -> None:
    """Serve until SIGTERM."""
    import uvicorn
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(url, url, "mlflow-artifacts:/")
    uvicorn.run("mlflow.server.fastapi_app:app", uds=socket, log_level="warning", timeout_graceful_shutdown=5)


if __name__ == "__main__":
    main()
