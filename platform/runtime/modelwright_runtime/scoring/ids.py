"""Ids of the predictions of a batch job: the same whoever computes them, so that a repeated chunk names no new ones."""

from __future__ import annotations

import hashlib
from uuid import UUID

_ROW_BITS, _REST_BITS = 38, 36


def prediction_id(job: UUID, milliseconds: int, row: int) -> UUID:
    """The UUIDv7 of row `row` (from 1) of the job, whose chunk is of `milliseconds` since 1970.

    Later rows have larger ids, so that they lie side by side in an index.
    """
    seed = hashlib.sha256(b"%s %d" % (job.bytes, row)).digest()
    tail = (row % (1 << _ROW_BITS)) << _REST_BITS | int.from_bytes(seed[:8], "big") % (1 << _REST_BITS)
    high, low = tail >> 62, tail & ((1 << 62) - 1)
    return UUID(int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | high << 64 | 0x2 << 62 | low)
