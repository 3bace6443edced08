"""What a session's agent tells. No audit rows: it comes every few seconds, and people do nothing by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from modelwright.compute.sealed import without_secrets
from modelwright.core.text import storable
from sessions.models import Session, SessionCommand, SessionRead, SessionSample, SessionStart

SAMPLE_EVERY = timedelta(seconds=30)
MAX_PATHS = 100
MAX_PACKAGES = 200
MAX_TEXT = 20_000
MAX_ENDING = 300
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LARGEST = 2**62


@dataclass(frozen=True, slots=True)
class Beat:
    """How the session is. `saved` is empty where nothing was saved yet, `ending` says why it ended by itself."""

    idle_seconds: float = 0.0
    is_busy: bool = False
    kernels: int = 0
    terminals: int = 0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    processes: int = 0
    packages: Sequence[str] = field(default_factory=tuple)
    saved: str = ""
    left_out: Sequence[str] = field(default_factory=tuple)
    is_end: bool = False
    ending: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """What was typed, and when by the session's clock."""

    kind: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a data connection, and when by the session's clock; `what` is empty where it was only taken."""

    connection: str
    kind: str
    what: str
    at: float


@transaction.atomic
def note_beat(session: Session, beat: Beat) -> None:
    """Store it. The first one says that Lab answers."""
    now = timezone.now()
    is_new = session.ready_at is None
    changes = {
        "beat_at": now,
        "active_at": now - timedelta(seconds=min(max(beat.idle_seconds, 0.0), 10**7)),
        "is_busy": beat.is_busy,
        "kernels": min(max(beat.kernels, 0), 10_000),
        "terminals": min(max(beat.terminals, 0), 10_000),
        "packages": [storable(one)[:200] for one in beat.packages[:MAX_PACKAGES]],
        "left_out": [storable(one)[:500] for one in beat.left_out[:MAX_PATHS]],
    }
    if beat.saved and beat.saved != session.saved_commit and _COMMIT.fullmatch(beat.saved):
        changes |= {"saved_commit": beat.saved, "saved_at": now}
    # By the workload: a late word of the start before changes nothing.
    ours = Session.objects.filter(pk=session.pk, workload=session.workload)
    ours.update(**changes, ready_at=Coalesce(F("ready_at"), now))
    if is_new:
        SessionStart.objects.filter(workload=session.workload, ready_at=None).update(ready_at=now)
    if beat.is_end and beat.ending:
        _note_ending(session, storable(beat.ending)[:MAX_ENDING])
    _sample(session, beat, now)


def _note_ending(session: Session, why: str) -> None:
    """Why it ended by itself; who asked it to end before has said why."""
    if Session.objects.filter(pk=session.pk, workload=session.workload, ending="").update(ending=why):
        SessionStart.objects.filter(workload=session.workload, ending="").update(ending=why)


def _sample(session: Session, beat: Beat, now: datetime) -> None:
    last = SessionSample.objects.filter(session=session).order_by("-at").first()
    is_same = last is not None and last.workload_id == session.workload_id
    if last is not None and is_same and now - last.at < SAMPLE_EVERY and not beat.is_end:
        return
    SessionSample.objects.create(
        session=session,
        workload=session.workload,
        at=now,
        cpu_seconds=min(max(beat.cpu_seconds, 0.0), 1e12),
        memory_bytes=min(max(beat.memory_bytes, 0), _LARGEST),
        processes=min(max(beat.processes, 0), 10**6),
    )


@transaction.atomic
def note_commands(session: Session, offset: int, commands: Sequence[Command]) -> None:
    """Store what was typed, where the project asks for it. The same twice is stored once."""
    if not session.records_commands:
        return
    texts = without_secrets(session.workload, [storable(one.text) for one in commands])
    rows = [
        SessionCommand(
            session=session,
            workload=session.workload,
            # They come in the order in which they were written, far fewer than there are bytes.
            offset=offset + number,
            kind=one.kind,
            at=_moment(one.at),
            text=text[:MAX_TEXT],
        )
        for number, (one, text) in enumerate(zip(commands, texts, strict=True))
        if one.kind in SessionCommand.Kind.values
    ]
    SessionCommand.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def note_reads(session: Session, offset: int, reads: Sequence[Read]) -> None:
    """Store what was read of data connections. The same twice is stored once."""
    texts = without_secrets(session.workload, [storable(one.what) for one in reads])
    rows = [
        SessionRead(
            session=session,
            workload=session.workload,
            offset=offset + number,
            at=_moment(one.at),
            connection=storable(one.connection)[:100],
            kind=storable(one.kind)[:16],
            what=text[:MAX_TEXT],
        )
        for number, (one, text) in enumerate(zip(reads, texts, strict=True))
    ]
    SessionRead.objects.bulk_create(rows, ignore_conflicts=True)


def _moment(seconds: float) -> datetime:
    """The moment that it names, now where that cannot be: the clock is the user's."""
    now = timezone.now()
    try:
        said = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return now
    return min(said, now)
