"""Streams of others that may not be longer than somebody allows."""

from __future__ import annotations

from collections.abc import Callable

from modelwright.storage.blobs import Readable


class BoundedReader:
    """Reads at most `limit` bytes of a stream; where it holds more, reading raises what `refusal` makes of the limit.

    So whoever stores the stream stops there and keeps nothing, whatever its length was said to be.
    """

    def __init__(self, stream: Readable, limit: int, refusal: Callable[[int], Exception]) -> None:
        self._stream = stream
        self._limit = limit
        self._left = limit
        self._refusal = refusal

    def read(self, size: int = -1, /) -> bytes:
        """As a stream's `read`: up to `size` bytes, all where it is negative, none at the end."""
        # One more than is left shows whether there is more.
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        content = self._stream.read(wanted)
        if len(content) > self._left:
            raise self._refusal(self._limit)
        self._left -= len(content)
        return content
