"""Reads data connections, and says what is read of them: within a session that goes on record."""

from __future__ import annotations

import importlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

MAX_TEXT = 2000
SECONDS = 30
FILE = "reads"
_DRIVERS = ("psycopg", "psycopg2")


def note(connection: str, kind: str, what: str) -> None:
    """Write down that `what` of a connection is read. Nothing happens outside a session.

    Raises OSError where it cannot be written down: what is not on record is not read.
    """
    private = os.environ.get("MODELWRIGHT_SESSION_PRIVATE")
    if not private or not os.environ.get("MODELWRIGHT_SESSION_ID"):
        return
    line = {"connection": connection, "kind": kind, "what": what[:MAX_TEXT], "at": time.time()}
    # One write of a line at the end of the file: kernels may do so at once.
    file = os.open(Path(private) / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
    finally:
        os.close(file)


def ask_postgresql(
    config: Mapping[str, Any], secret: str, statement: str, parameters: Sequence[Any] | Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """The rows of a statement that changes nothing, by column. Raises LookupError where no driver is installed."""
    connect = _driver()
    opened = connect(
        host=config["host"],
        port=config.get("port") or "5432",
        dbname=config["database"],
        user=config["username"],
        password=secret,
        sslmode=config.get("sslmode") or "prefer",
        connect_timeout=SECONDS,
        options="-c default_transaction_read_only=on",
    )
    try:
        with opened.cursor() as cursor:
            cursor.execute(statement, parameters)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []
    finally:
        opened.close()


def _driver() -> Callable[..., Any]:
    for name in _DRIVERS:
        try:
            connect: Callable[..., Any] = importlib.import_module(name).connect
        except ImportError:
            continue
        return connect
    raise LookupError("No driver of PostgreSQL is installed. Put psycopg[binary] into the project's requirements.")


def open_address(url: str, path: str, secret: str) -> IO[bytes]:
    """What is at `path` below the address, with the connection's token. Raises OSError."""
    import urllib.request  # Few of the processes that import this package ask anything: it takes 30 ms.

    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    address = f"{url.rstrip('/')}/{path.lstrip('/')}" if path else url
    # The address was checked when the connection was made: it begins with http:// or https://.
    request = urllib.request.Request(address, headers=headers)  # noqa: S310
    answer: IO[bytes] = urllib.request.urlopen(request, timeout=SECONDS)  # noqa: S310
    return answer


def open_file(folder: str, path: str) -> IO[bytes]:
    """A file of a directory. Raises OSError, and ValueError for a path that leads out of it."""
    file = (Path(folder) / path).resolve()
    if not file.is_relative_to(Path(folder).resolve()):
        raise ValueError(f"{path} is not in the directory of the connection.")
    return file.open("rb")
