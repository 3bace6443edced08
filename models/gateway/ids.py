"""Prediction ids."""

from __future__ import annotations

import os
import time


def new_prediction_id() -> str:
    """A UUIDv7 as 32 hex digits: sorts by time (the fraction of the millisecond too, RFC 9562 method 3), and PostgreSQL
    reads it as a uuid."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    tail = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return f"{milliseconds << 80 | 0x7 << 76 | rest * 4096 // 1_000_000 << 64 | 0x2 << 62 | tail:032x}"
