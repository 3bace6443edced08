"""Reads the table and the logins again whenever their files were replaced. A broken file changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from modelwright.core.file_stamps import Stamp, stamp_of
from sessions import logins, table
from sessions.logins import LoginsError
from sessions.table import Entry, TableError

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
NO_ENTRIES: Mapping[str, Entry] = {}


class Watcher:
    """The newest good `entries` and `logins`."""

    def __init__(self, table_path: Path, logins_path: Path) -> None:
        self.entries: Mapping[str, Entry] = NO_ENTRIES
        self.logins: frozenset[str] = frozenset()
        # When somebody looked for the last time which logins there are.
        self.asked = 0.0
        self._changed: Callable[[], None] = _nothing
        self._paths = (table_path, logins_path)
        self._seen: dict[Path, Stamp] = {}
        self._errors: dict[Path, str] = {}

    @property
    def error(self) -> str:
        """What is wrong with the files now, empty for nothing."""
        return "; ".join(self._errors.values())

    @property
    def seen(self) -> list[str]:
        """Which table and which logins are in use: names that change with each new file."""
        return ["-".join(map(str, self._seen.get(path, ()))) for path in self._paths]

    def entry(self, key: str) -> Entry | None:
        """That of the key, as the newest table has it."""
        return self.entries.get(key)

    def when_changed(self, then: Callable[[], None]) -> None:
        """Call `then` after each new table or new logins."""
        self._changed = then

    def check(self) -> None:
        """Look once."""
        table_path, logins_path = self._paths
        is_new = False
        for path, read in ((table_path, self._read_table), (logins_path, self._read_logins)):
            try:
                stamp = stamp_of(path)
                if stamp == self._seen.get(path):
                    continue
                read(path)
                if path == logins_path:
                    self.asked = stamp[1] / 1e9
                self._seen[path] = stamp
                self._errors.pop(path, None)
                is_new = True
            except FileNotFoundError:
                continue
            except (OSError, TableError, LoginsError) as error:
                self._complain(path, str(error))
        if is_new:
            self._changed()

    async def run(self) -> None:
        """Look twenty times a second, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                self.check()
            except Exception:
                logger.exception("the table could not be applied")

    def _read_table(self, path: Path) -> None:
        self.entries = table.read(path)

    def _read_logins(self, path: Path) -> None:
        self.logins = logins.read(path)

    def _complain(self, path: Path, message: str) -> None:
        if self._errors.get(path) != message:
            logger.error("%s; the last good one stays in use", message)
        self._errors[path] = message


def _nothing() -> None:
    pass
