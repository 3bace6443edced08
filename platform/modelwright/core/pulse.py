"""A sign of life of a process that listens nowhere: a file that it touches, for whoever watches over it."""

from __future__ import annotations

import os
import time
from pathlib import Path

INTERVAL_SECONDS = 1.0
_last = 0.0


def beat() -> None:
    """Touch the file that `MODELWRIGHT_PULSE_FILE` names, at most once a second; without that variable do nothing."""
    global _last
    path = os.environ.get("MODELWRIGHT_PULSE_FILE")
    now = time.monotonic()
    if path and now - _last >= INTERVAL_SECONDS:
        _last = now
        Path(path).touch()
