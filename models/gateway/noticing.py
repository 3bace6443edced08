"""Has Linux (inotify) say at once that a file in a folder was replaced, so that nobody waits for the next look."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger(__name__)

_MOVED_TO = 0x80
_MOST_BYTES = 65536


@contextmanager
def noticing(folder: Path, then: Callable[[], object]) -> Iterator[bool]:
    """Call `then` on the running loop whenever a file was moved into the folder, until left. It is False where the
    system cannot tell; a folder that is replaced itself is noticed no more. So whoever must know looks by itself too.
    """
    try:
        descriptor = _watch(folder)
    except (OSError, AttributeError) as error:
        logger.info("no notices of %s: %s", folder, error)
        yield False
        return
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(BlockingIOError):
            os.read(descriptor, _MOST_BYTES)
        then()

    loop.add_reader(descriptor, read)
    try:
        yield True
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _watch(folder: Path) -> int:
    """A descriptor that can be read once something was moved into the folder. Raises OSError, and AttributeError on
    another system than Linux."""
    system = ctypes.CDLL(None, use_errno=True)
    descriptor = int(system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if system.inotify_add_watch(descriptor, os.fsencode(folder), _MOVED_TO) < 0:
        number = ctypes.get_errno()
        os.close(descriptor)
        raise OSError(number, os.strerror(number))
    return descriptor
