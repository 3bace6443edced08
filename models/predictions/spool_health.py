"""What waits in the spools: each host's shipper says so in the database, health and pages read it there."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from models.endpoints.routes import gateway_state
from models.gateway.spool import list_segments, read_records
from models.predictions.models import SpoolPosition, SpoolState
from models.predictions.records import YEAR_10000
from modelwright.compute.models import Host

NOTE_SECONDS = 2.0
# Answers are on record a second or so after they were given. What is older, or not even looked at, is trouble.
LATE = timedelta(seconds=60)
SILENT = timedelta(seconds=60)

# How many files a fault names.
NAMED = 3
_DAMAGED = (
    "bytes of the spool cannot be read, so acknowledged records may be missing; all others are stored: check the disk, "
    "then move away what was kept"
)
_UNSTORABLE = (
    "records of the spool cannot be stored, the shipper's log says why: mend that and take .unstorable off the file's "
    "name, or move it away"
)


class Noting:
    """Notes how much waits, every `NOTE_SECONDS` at most, for the shipper."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._due = 0.0

    def note(self) -> None:
        """Note it where that is due. Raises DatabaseError."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + NOTE_SECONDS
        size, oldest = measure(self._folder)
        facts = {
            "waiting_bytes": size,
            "oldest_at": oldest,
            "seen_at": timezone.now(),
            "fault": aside_fault(self._folder),
        }
        SpoolState.objects.update_or_create(host=settings.HOST_NAME[:100], defaults=facts)
        _gone().delete()


def measure(folder: Path) -> tuple[int, datetime | None]:
    """How many bytes of the folder's segments are not stored yet, and when the oldest request in them was received."""
    stored = dict(SpoolPosition.objects.values_list("segment", "offset"))
    size = 0
    oldest: float | None = None
    for segment in list_segments(folder):
        offset = stored.get(segment.path.name, 0)
        try:
            left = segment.path.stat().st_size - offset
            at = _received_at(segment.path, offset) if left > 0 else None
        except FileNotFoundError:
            continue
        size += max(left, 0)
        if at is not None:
            oldest = at if oldest is None else min(oldest, at)
    return size, None if oldest is None else datetime.fromtimestamp(oldest, UTC)


def aside_fault(folder: Path) -> str:
    """What was put aside in the folder, and what to do about it; empty where nothing was."""
    faults = []
    for suffix, words in ((".damaged", _DAMAGED), (".unstorable", _UNSTORABLE)):
        names = sorted(path.name for path in folder.glob(f"*.spool*{suffix}"))
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            faults.append(f"{words} ({', '.join(names[:NAMED])}{more}, in {folder})")
    return "; ".join(faults)


def _received_at(path: Path, offset: int) -> float | None:
    """When the request of the first record from there was received; None where it does not say, or is none."""
    try:
        first = next(iter(read_records(path, offset)), None)
        at = first[0].get("at") if first else None
    except (ValueError, AttributeError):
        return None
    return at if isinstance(at, int | float) and 0 <= at < YEAR_10000 else None


def _gone() -> QuerySet[SpoolState]:
    """Of hosts that were removed or have another name now: nothing waits there, and no shipper will say more."""
    hosts = Host.objects.exclude(state="removed").values_list("name", flat=True)
    names = [settings.HOST_NAME[:100], *(name[:100] for name in hosts)]
    return SpoolState.objects.filter(waiting_bytes=0, seen_at__lt=timezone.now() - SILENT).exclude(host__in=names)


def late_fault() -> str:
    """Where requests wait for so long, or a shipper has been silent for so long, that what is stored says little of
    what is going on; empty where none does."""
    return "; ".join(fault for state in _states() if (fault := _lateness(state)))


def spool_fault() -> str:
    """What is wrong with the way from the spools to the database, in a few words; empty where nothing is."""
    faults = []
    for state in _states():
        faults.append(_lateness(state))
        faults.append(f"on {state.host}, {state.fault}" if state.fault else "")
    return "; ".join(filter(None, faults))


def _states() -> QuerySet[SpoolState]:
    return SpoolState.objects.exclude(host__in=_gone().values("host")).order_by("host")


def _lateness(state: SpoolState) -> str:
    now = timezone.now()
    if now - state.seen_at > SILENT:
        return f"the shipper of {state.host} has said nothing for {_seconds(now - state.seen_at)}"
    if state.oldest_at is not None and now - state.oldest_at > LATE:
        waiting = f"{state.waiting_bytes} bytes wait in the spool of {state.host}"
        return f"{waiting}, the oldest answer for {_seconds(now - state.oldest_at)}"
    return ""


def gateway_fault() -> str:
    """What is wrong with the gateway, empty where it answers and records."""
    state = gateway_state()
    if state is None:
        return "does not answer"
    if state.get("status") == "refusing":
        return f"refuses predictions: {state.get('spool', '')}"[:500]
    return ""


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():.0f} s"
