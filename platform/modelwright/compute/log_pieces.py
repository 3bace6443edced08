"""A host whose disk the pages cannot read sends what its workloads write to their logs, piece by piece.

Which hosts do that stands in `modelwright.loops`. The pieces are gone once the log is handed in.
"""

from __future__ import annotations

import logging
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from modelwright.compute.layout import log_file
from modelwright.compute.models import LogPiece, Workload
from modelwright.compute.states import ENDS, LIVE_ON_HOST

logger = logging.getLogger(__name__)

PIECE_BYTES = 128 * 1024
# Of one log in one tick, so that one that writes much does not hold up the others.
PIECES_AT_ONCE = 8
Position = tuple[UUID, int]


class Shipper:
    """Remembers how far each log was sent, which the table knows as well: another process goes on from there."""

    def __init__(self) -> None:
        """Has sent nothing yet, as far as it knows."""
        self._sent: dict[Position, int] = {}

    def tick(self) -> int:
        """Send what is new in the logs of this host; return how many bytes."""
        workloads = list(_unfinished())
        known, self._sent = self._sent, {}
        total = 0
        for workload in workloads:
            position = (workload.pk, workload.fence or 0)
            before = known[position] if position in known else _end_of_pieces(workload)
            self._sent[position] = _send(workload, before)
            total += self._sent[position] - before
        return total


def _unfinished() -> QuerySet[Workload]:
    here = Workload.objects.filter(host__name=settings.HOST_NAME, handed_in_at=None, fence__isnull=False)
    # Apart, since each has an index of its own.
    return here.filter(Q(state__in=LIVE_ON_HOST) | Q(state__in=ENDS))


def _end_of_pieces(workload: Workload) -> int:
    last = LogPiece.objects.filter(workload=workload, fence=workload.fence or 0).order_by("-start").first()
    return last.start + len(last.data) if last else 0


def _send(workload: Workload, start: int) -> int:
    """Send what the log has from the byte `start`; return where the next piece begins."""
    path = log_file(workload)
    data = _read(path, start) if path is not None else b""
    if not data:
        return start
    pieces = [
        LogPiece(workload=workload, fence=workload.fence or 0, start=start + at, data=data[at : at + PIECE_BYTES])
        for at in range(0, len(data), PIECE_BYTES)
    ]
    with transaction.atomic():
        # Handing in waits for this, or has deleted the pieces and wants no more.
        if not Workload.objects.select_for_update().filter(pk=workload.pk, handed_in_at=None).exists():
            return start
        LogPiece.objects.bulk_create(pieces, ignore_conflicts=True)
    return start + len(data)


def _read(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read(PIECE_BYTES * PIECES_AT_ONCE)
    except FileNotFoundError:
        return b""
    except OSError as error:
        logger.warning("the log %s cannot be read: %s", path, error)
        return b""
