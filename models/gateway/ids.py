"""Prediction ids."""

from __future__ import annotations

import os
import time


def new_prediction_id() -> str:
    """A UUIDv7 as 32 hex digits: sorts by time, and PostgreSQL reads it as a uuid."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | (0x7 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return f"{number:032x}"
