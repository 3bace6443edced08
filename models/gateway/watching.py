"""Reads the route table again whenever its file was replaced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from models.gateway.noticing import noticing
from models.gateway.routes import EMPTY, RoutesError, RouteTable, parse
from modelwright.core.file_stamps import Stamp, stamp_of

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.02
MAX_TOLD = 5


class RouteWatcher:
    """Calls `apply(table)` with each new table, on the event loop, so between two requests. A broken or missing file
    changes nothing: the last good table stays, and `error` says what is wrong. It does too where the trouble is one
    endpoint's, which keeps no other from the new table."""

    def __init__(self, path: Path, apply: Callable[[RouteTable], None]) -> None:
        self._path = path
        self._apply = apply
        self._seen: Stamp | None = None
        self.error: str | None = None
        self._table = EMPTY

    def check(self) -> None:
        """Look once."""
        try:
            stamp = stamp_of(self._path)
            if stamp == self._seen:
                return
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            self._report(f"{self._path} cannot be read: {error}")
            return
        self._seen = stamp
        try:
            table = parse(content, self._table)
        except RoutesError as error:
            self._report(f"{self._path} is no route table ({error}); the last good one stays in use")
            return
        if table.troubles:
            told = "; ".join(f"{name}: {trouble}" for name, trouble in list(table.troubles.items())[:MAX_TOLD])
            self._report(f"{self._path} has entries that cannot be used, {len(table.troubles)} in all ({told})")
        else:
            self.error = None
        self._table = table
        self._apply(table)
        logger.info("route table %d with %d endpoints", table.revision, len(table.endpoints))

    async def run(self) -> None:
        """Look as soon as the file is replaced, and every 20 ms in case nobody says so, until cancelled."""
        with noticing(self._path.parent, self.look):
            while True:
                await asyncio.sleep(POLL_SECONDS)
                self.look()

    def look(self) -> str | None:
        """Look now, for whoever asks by which table the gateway answers: mostly because there is a new one. What is
        wrong with the file's table."""
        try:
            self.check()
        except Exception:
            logger.exception("the route table could not be applied")
        return self.error

    def _report(self, message: str) -> None:
        if message != self.error:
            logger.error("%s", message)
        self.error = message
