"""Time-ordered identifiers."""

import os
import time
import uuid

_RANDOM = 0x3FFF_FFFF_FFFF_FFFF
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_id() -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, 12 bits of the fraction below (method 3), random bits.

    Rows made later sort later, to a quarter of a microsecond on one machine, so that a primary key index stays dense
    and cursors can page by id.
    """
    return uuid.UUID(int=_at(time.time_ns()) | int.from_bytes(os.urandom(8), "big") & _RANDOM)


def new_ids_hex(count: int) -> list[str]:
    """So many new ids as 32 hex digits each, in ascending order; they were made at one moment."""
    start, random = f"{_at(time.time_ns()) >> 64:016x}", os.urandom(8 * count).hex()
    # The variant takes the first two bits of the random ones.
    tails = sorted([_VARIANT[random[at]] + random[at + 1 : at + 16] for at in range(0, 16 * count, 16)])
    return [start + tail for tail in tails]


def _at(nanoseconds: int) -> int:
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62
