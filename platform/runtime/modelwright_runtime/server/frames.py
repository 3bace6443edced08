"""Frames between gateway and model server.

A frame is `u32 big-endian length | u64 correlation id | u8 kind | payload`; the length counts id, kind and payload.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

PREDICT = 1
ANSWER = 2
ERROR = 3
PING = 4
PONG = 5

MAX_FRAME_BYTES = 64 * 1024 * 1024

_HEAD = struct.Struct(">IQB")
_REST_OF_HEAD = 9


class FrameError(Exception):
    """The peer sent what is no frame; the connection cannot be used any more."""


class Frame(NamedTuple):
    """One message: `kind` is one of the constants above, `payload` is JSON."""

    correlation_id: int
    kind: int
    payload: bytes


def pack(correlation_id: int, kind: int, payload: bytes) -> bytes:
    """Bytes of one frame. Raises `FrameError` when the payload is larger than a frame may be."""
    if len(payload) > MAX_FRAME_BYTES - _REST_OF_HEAD:
        raise FrameError(f"a payload of {len(payload)} bytes does not fit into a frame of {MAX_FRAME_BYTES} bytes")
    return _HEAD.pack(len(payload) + _REST_OF_HEAD, correlation_id, kind) + payload


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Whole frames that `data` completes. Raises `FrameError` on a length no frame can have."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        start, available = 0, len(buffer)
        while available - start >= _HEAD.size:
            length, correlation_id, kind = _HEAD.unpack_from(buffer, start)
            if not _REST_OF_HEAD <= length <= MAX_FRAME_BYTES:
                raise FrameError(f"a frame of {length} bytes was announced; {MAX_FRAME_BYTES} are allowed")
            end = start + 4 + length
            if end > available:
                break
            frames.append(Frame(correlation_id, kind, bytes(buffer[start + _HEAD.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames
