"""Workers of xdist migrate one database between them: the first one does, and the others begin with a copy of it.

Migrating takes as long as some hundred tests, a copy a moment.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from django.db import DEFAULT_DB_ALIAS, connections

# One for each call of pytest, whichever server it is at. Empty where there are no workers.
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
_COPY = f"migrated_{_RUN[:16]}"


class Turn:
    """What one worker does while the others wait: it makes its database."""

    def __init__(self) -> None:
        self._lock: TextIO | None = None
        self._is_first = False

    def begin(self) -> None:
        """Wait for the turn; if another worker has migrated already, have the database made as a copy."""
        if _RUN:
            # In the folder of the process that started the workers.
            self._lock = (Path(os.environ["MODELWRIGHT_SECRET_KEY_FILE"]).parent / "migrating").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._is_first = not _has_copy()
            if not self._is_first:
                connections[DEFAULT_DB_ALIAS].settings_dict["TEST"]["TEMPLATE"] = _COPY

    def is_migrated(self) -> None:
        """Keep a copy for the others, if there is none, and let them go on."""
        if self._is_first:
            made = connections[DEFAULT_DB_ALIAS].settings_dict["NAME"]
            connections[DEFAULT_DB_ALIAS].close()
            _execute(f'CREATE DATABASE "{_COPY}" TEMPLATE "{made}"')
        self.end()

    def end(self) -> None:
        """Let the others go on, whatever came of it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def forget(self) -> None:
        """Remove the copy again: the server may be one that stays."""
        self.end()
        if self._is_first:
            _execute(f'DROP DATABASE IF EXISTS "{_COPY}"')


def _has_copy() -> bool:
    with connections[DEFAULT_DB_ALIAS]._nodb_cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [_COPY])
        return cursor.fetchone() is not None


def _execute(statement: str) -> None:
    with connections[DEFAULT_DB_ALIAS]._nodb_cursor() as cursor:
        cursor.execute(statement)
