"""Replaces texts in a stream of bytes that comes in pieces, cut anywhere.

It imports nothing: the first process of a container compiles it at each start that has something to mask.
"""

from __future__ import annotations

MASK = b"***"
_HEAD = 4


class Masker:
    """Puts `***` in place of every occurrence of `texts`, those that overlap or lie in two pieces too.

    What may be the beginning of one is held back until more comes. Texts of less than 4 bytes are left as they are:
    they stand everywhere.
    """

    def __init__(self, texts: list[bytes]) -> None:
        """Has seen nothing yet."""
        self._texts = [text for text in dict.fromkeys(texts) if len(text) >= _HEAD]
        # Bytes of which they are made: what stands before another one cannot be the beginning of anything open.
        self._alphabet = frozenset(b"".join(self._texts))
        self._longest = max((len(text) for text in self._texts), default=0)
        self._held = b""
        # So many of the held bytes stand for a mask that is written already.
        self._covered = 0

    def feed(self, data: bytes) -> bytes:
        """The next bytes, as far as it is known what becomes of them."""
        if not self._texts:
            return data
        text = self._held + data
        return self._give(text, self._first_open(text))

    def rest(self) -> bytes:
        """What was held back: nothing more comes."""
        return self._give(self._held, len(self._held))

    def _first_open(self, text: bytes) -> int:
        """Where the first occurrence begins that may go on in the next piece; the end where there is none."""
        first = len(text)
        lowest, known = first, max(0, first - self._longest + 1)
        while lowest > known and text[lowest - 1] in self._alphabet:
            lowest -= 1
        if lowest == first:
            return first
        for wanted in self._texts:
            at = max(lowest, len(text) - len(wanted) + 1)
            head = wanted[:_HEAD]
            while True:
                at = text.find(head, at)
                if at < 0 or at >= first:
                    break
                if wanted.startswith(text[at:]):
                    first = at
                    break
                at += 1
            for at in range(max(lowest, len(text) - _HEAD + 1), first):
                if wanted.startswith(text[at:]):
                    first = at
                    break
        return first

    def _give(self, text: bytes, end: int) -> bytes:
        given = []
        done = self._covered
        for start, stop in self._found(text):
            if start >= end:
                break
            if start >= done:
                given += [text[done:start], MASK]
            done = max(done, stop)
        if done < end:
            given.append(text[done:end])
            done = end
        self._held, self._covered = text[end:], done - end
        return b"".join(given)

    def _found(self, text: bytes) -> list[tuple[int, int]]:
        """Where texts are, by their beginning, overlapping ones too."""
        found = []
        for wanted in self._texts:
            at = text.find(wanted)
            while at >= 0:
                found.append((at, at + len(wanted)))
                at = text.find(wanted, at + 1)
        return sorted(found)
