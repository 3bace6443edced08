"""What a model server counts about itself, for its pongs."""

from __future__ import annotations

import os
from bisect import bisect_left
from pathlib import Path
from typing import Any

# Upper bounds, in seconds, of the time that one call of the model takes.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STATM = Path("/proc/self/statm")


class Vitals:
    """Written by the prediction thread alone; read by others, who may see a batch counted by half."""

    def __init__(self) -> None:
        self.rows = 0
        self.batches = 0
        self.errors = 0
        self.seconds = 0.0
        self._counts = [0] * (len(BOUNDS) + 1)

    def predicted(self, rows: int, seconds: float) -> None:
        """The model answered a batch of so many rows."""
        self.batches += 1
        self.rows += rows
        self.seconds += seconds
        self._counts[bisect_left(BOUNDS, seconds)] += 1

    def failed(self) -> None:
        """The model could not predict what one frame asked for."""
        self.errors += 1

    def plain(self) -> dict[str, Any]:
        """For JSON. `predict` is a histogram of seconds for each call of the model."""
        return {
            "rows_predicted": self.rows,
            "batches": self.batches,
            "errors": self.errors,
            "predict": {"bounds": list(BOUNDS), "counts": list(self._counts), "sum": self.seconds},
            "memory_bytes": memory_bytes(),
        }


def memory_bytes() -> int:
    """Memory of this process that is in use, 0 where the system does not say."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
