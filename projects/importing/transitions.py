"""The only code that writes the state of an import."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from modelwright.core.states import move
from projects.importing.states import MACHINE, ImportState
from projects.models import SourceImport


def begin(one: SourceImport) -> bool:
    """Claim it; False where another process did, or it was cancelled."""
    now = timezone.now()
    return move(_rows(one), machine=MACHINE, to=ImportState.RUNNING, started_at=now, seen_at=now)


def go_on(one: SourceImport, progress: str) -> bool:
    """Note that it is being carried out, and how far it is; False where it is over for everybody else."""
    rows = _rows(one).filter(state=ImportState.RUNNING)
    return rows.update(seen_at=timezone.now(), progress=progress[:120]) > 0


def see(ones: Iterable[SourceImport]) -> None:
    """Note that they are being carried out."""
    keys = [one.pk for one in ones]
    if keys:
        SourceImport.objects.filter(pk__in=keys, state=ImportState.RUNNING).update(seen_at=timezone.now())


def succeed(one: SourceImport, *, commit: str, imported: str, outcome: SourceImport.Outcome, notes: str) -> bool:
    """It is done; False where it was cancelled or given up meanwhile."""
    return move(
        _rows(one),
        machine=MACHINE,
        to=ImportState.SUCCEEDED,
        ended_at=timezone.now(),
        commit=commit,
        imported=imported,
        outcome=outcome,
        notes=notes,
    )


def fail(one: SourceImport, problem: str) -> bool:
    """It came to nothing; `problem` says why, for people."""
    return move(_rows(one), machine=MACHINE, to=ImportState.FAILED, ended_at=timezone.now(), problem=problem[:2000])


def cancel(one: SourceImport, problem: str) -> bool:
    """Somebody does not want it any more; False where it is over. What still works at it sees that and stops."""
    return move(_rows(one), machine=MACHINE, to=ImportState.CANCELLED, ended_at=timezone.now(), problem=problem[:2000])


def give_up(before: datetime, problem: str) -> bool:
    """End those that nobody carries out any more: nobody was seen at them since `before`."""
    silent = SourceImport.objects.filter(seen_at__lt=before)
    return move(silent, machine=MACHINE, to=ImportState.FAILED, ended_at=timezone.now(), problem=problem)


def _rows(one: SourceImport) -> QuerySet[SourceImport]:
    return SourceImport.objects.filter(pk=one.pk)
