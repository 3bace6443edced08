"""What waits in this host's spools: acknowledged predictions that are not in the database yet."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from models.gateway.spool import list_segments, read_records
from models.predictions.models import SpoolPosition


@dataclass(frozen=True)
class Waiting:
    """`bytes` are not shipped; the oldest of them were acknowledged `oldest_seconds` ago, 0 where nothing waits."""

    bytes: int
    oldest_seconds: float


def waiting() -> Waiting:
    """As the database and the folder say; a segment that is finished meanwhile counts as shipped."""
    shipped = dict(SpoolPosition.objects.values_list("segment", "offset"))
    size, oldest = 0, 0.0
    for segment in list_segments(Path(settings.DATA_DIR) / "gateway" / "spool"):
        offset = shipped.get(segment.path.name, 0)
        try:
            left = segment.path.stat().st_size - offset
            first = next(iter(read_records(segment.path, offset)), None) if left > 0 else None
        except FileNotFoundError:
            continue
        size += max(left, 0)
        at = first[0].get("at") if first is not None else None
        if isinstance(at, (int, float)):
            oldest = max(oldest, time.time() - at)
    return Waiting(size, oldest)
