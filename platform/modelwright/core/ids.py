"""Time-ordered identifiers."""

import os
import time
import uuid

_RANDOM = 0x3FFF_FFFF_FFFF_FFFF


def new_id() -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, 12 bits of the fraction below (method 3), random bits.

    Rows made later sort later, to a quarter of a microsecond on one machine, so that a primary key index stays dense
    and cursors can page by id.
    """
    return uuid.UUID(int=_at(time.time_ns()) | int.from_bytes(os.urandom(8), "big") & _RANDOM)


def new_ids_hex(count: int) -> list[str]:
    """So many new ids as 32 hex digits each, in ascending order; they were made at one moment."""
    start, random = _at(time.time_ns()), os.urandom(8 * count)
    tails = sorted(int.from_bytes(random[at : at + 8], "big") & _RANDOM for at in range(0, 8 * count, 8))
    return [f"{start | tail:032x}" for tail in tails]


def _at(nanoseconds: int) -> int:
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62
