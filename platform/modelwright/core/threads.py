"""Threads that answer requests one after the other, so that each keeps its connection to the database.

Django gives each request of ASGI a thread of its own, and a connection belongs to a thread: without this every request
connects anew, and PostgreSQL plans its first queries without having read its catalogue.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager

from asgiref.sync import ThreadSensitiveContext


class Threads:
    """Hands out threads, as many as are asked for at the same time; at most `most_idle` are kept for later."""

    def __init__(self, most_idle: int) -> None:
        self._most_idle = most_idle
        # The one that was used last comes first, so that few of them are kept busy.
        self._idle: list[Executor] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Run the synchronous code of what is awaited inside on one thread, which nobody else has meanwhile."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(max_workers=1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                yield
        finally:
            # Whoever asked may have gone while the thread still works for them: it is free once it comes to this.
            thread.submit(_nothing).add_done_callback(lambda _: self._take_back(thread))

    def _take_back(self, thread: Executor) -> None:
        """Called on the thread itself."""
        if len(self._idle) < self._most_idle:
            self._idle.append(thread)
        else:
            thread.shutdown(wait=False)


def _nothing() -> None:
    """What a thread does last for a request."""
