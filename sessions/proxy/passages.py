"""What goes through the proxy now, so that it can be counted, bounded and ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sessions.proxy.admitting import Admitted
from sessions.tickets import Pass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may go through at once, and how large it may be."""

    for_each: int = 512
    in_all: int = 4096
    body_bytes: int = 4 * 1024**3
    message_bytes: int = 64 * 1024**2


End = Callable[[int, str], None]


class TooMany(Exception):
    """There is no room for one more."""


@dataclass(eq=False, slots=True)
class Passage:
    """One request or WebSocket on its way. `end` breaks it off, with a code and words where it is a WebSocket."""

    key: str
    given: Pass | None
    end: End
    is_websocket: bool


class Passages:
    """All of one proxy."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_key: dict[str, set[Passage]] = {}
        self.count = 0

    @contextmanager
    def one(self, admitted: Admitted, end: End, *, is_websocket: bool) -> Iterator[Passage]:
        """Count one while it lasts. Raises TooMany."""
        of_key = self._by_key.setdefault(admitted.entry.key, set())
        if len(of_key) >= self._limits.for_each or self.count >= self._limits.in_all:
            raise TooMany
        passage = Passage(admitted.entry.key, admitted.given, end, is_websocket)
        of_key.add(passage)
        self.count += 1
        try:
            yield passage
        finally:
            self.count -= 1
            of_key.discard(passage)
            if not of_key:
                self._by_key.pop(passage.key, None)

    def end_all_but(self, may_stay: Callable[[Passage], bool], code: int, words: str) -> int:
        """Break off what may not stay; how many that were."""
        return self._end([one for one in self._all() if not may_stay(one)], code, words)

    def end_websockets(self, code: int, words: str) -> int:
        """Break off all WebSockets, which would not end by themselves; how many that were."""
        return self._end([one for one in self._all() if one.is_websocket], code, words)

    def _all(self) -> Iterator[Passage]:
        return (one for of_key in self._by_key.values() for one in of_key)

    def _end(self, gone: list[Passage], code: int, words: str) -> int:
        for passage in gone:
            passage.end(code, words)
        return len(gone)
