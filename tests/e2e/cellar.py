"""A database of somebody's own on this host, and a network by which containers reach it and nothing else."""

from __future__ import annotations

import csv
import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from modelwright.compute.backends.docker.network import ClosedNetwork
from modelwright.local.postgres import Postgres
from modelwright.local.process import start, wait_until
from tests import engine
from tests.ports import free_port

USER, PASSWORD = "cellarer", "drinks-no-wine"
READY_SECONDS = 120


@dataclass(frozen=True)
class Cellar:
    """`network` is what the platform's containers are to be in; `address` is this host's in it."""

    server: Postgres
    network: str
    address: str

    @property
    def config(self) -> dict[str, Any]:
        """Of a data connection to it."""
        return {
            "host": self.address,
            "port": str(self.server.port),
            "database": "modelwright",
            "username": USER,
            "sslmode": "disable",
        }

    def fill(self, table: str, text: str) -> None:
        """Make a table of numbers from CSV whose first column is its key."""
        names, *rows = csv.reader(io.StringIO(text))
        key, *others = names
        columns = ", ".join([f"{key} integer PRIMARY KEY", *(f"{name} double precision" for name in others)])
        with self._connected() as connection:
            connection.execute(f"CREATE TABLE {table} ({columns})".encode())
            with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with self._connected() as connection:
            return connection.execute(query.encode()).fetchall()

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.server.url("modelwright", role=USER), autocommit=True)


@contextmanager
def cellar(folder: Path) -> Iterator[Cellar]:
    """It runs in `folder`; an administrator has let containers reach its port. Needs root, for the firewall."""
    server = Postgres(folder / "cellar", durable=False, address="0.0.0.0", port=free_port())
    server.prepare()
    child = start(server.program(), folder / "cellar.log")
    network = ClosedNetwork(f"{engine.INSTANCE}-cellar"[:31], instance=engine.INSTANCE)
    try:
        wait_until(child.program.ready, child, READY_SECONDS)
        server.create_databases(["modelwright"])
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}' IN ROLE modelwright")
        yield Cellar(server, network.name, network.up(host_ports=[server.port]))
    finally:
        network.down()
        child.process.send_signal(signal.SIGQUIT)
        child.wait_or_kill(10)
