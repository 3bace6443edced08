"""Records that cannot be stored whatever is tried: kept beside the spool, for a person to look at."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from models.gateway.spool import HEAD
from modelwright.storage.blobs import sync_folder

logger = logging.getLogger(__name__)

SUFFIX = ".unstorable"


def set_aside(segment: Path, bodies: Sequence[bytes]) -> None:
    """Add the bodies to `<segment>.unstorable`, which has the form of a segment: renamed to `<segment>`, it is shipped
    again. They last when this returns. The same may be in it twice, which ids make harmless. Raises OSError."""
    path = segment.with_name(segment.name + SUFFIX)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        begin = file.seek(0, os.SEEK_END)
        try:
            for body in bodies:
                file.write(HEAD.pack(len(body), zlib.crc32(body)) + body)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            # A torn record in the middle would hide what comes after it.
            os.ftruncate(descriptor, begin)
            raise
    sync_folder(segment.parent)
    logger.error("%d records that cannot be stored are kept in %s", len(bodies), path)
