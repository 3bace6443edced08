"""The GPUs of this machine as they were read last.

A driver may hang for minutes, as while it resets a GPU, and who tells the platform that this host lives must not wait
for it: a host that is silent is given up, with all that runs there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from modelwright.compute.gpus import GpuReading, read_gpus
from modelwright.core.asking import Asker

logger = logging.getLogger(__name__)

# A reading takes 20 ms, and GPUs come and go seldom.
FRESH_SECONDS = 10.0
# Some drivers take seconds for the first one.
PATIENCE_SECONDS = 2.0
# After so long without an answer nothing new is given a GPU.
HANGS_SECONDS = 30.0
HANGS = "The GPU driver does not answer."


class Reader:
    """Reads in a thread, and begins no second one while that hangs."""

    def __init__(
        self, read: Callable[[str], GpuReading] = read_gpus, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._found: GpuReading | None = None
        self._asker = Asker(
            self._ask, name="gpus", fresh_seconds=FRESH_SECONDS, patience_seconds=PATIENCE_SECONDS, clock=clock
        )

    def reading(self, source: str) -> GpuReading | None:
        """The newest answer, which is waited for a moment; None before the first one. `source` as for `read_gpus`."""
        if source:  # No driver is asked.
            return self._read(source)
        unanswered = self._asker.unanswered_seconds()
        found = self._found
        if found is None or unanswered is None or unanswered < HANGS_SECONDS:
            return found
        return replace(found, problem=HANGS, gpus=tuple(replace(gpu, problem=HANGS) for gpu in found.gpus))

    def _ask(self) -> None:
        try:
            self._found = self._read("")
        except Exception as error:
            logger.exception("reading GPUs")
            self._found = GpuReading(problem=f"They cannot be read: {error!r}.")
