"""Finds hosts for what waits, and starts what is placed on this one. Every step may be repeated.

A *round* looks at the whole queue at once, in the order of `turns.in_turn`, and places what fits by the rule of
`fitting.choose_from`. Rounds follow one another, wherever they run: each holds one lock of the database, so that
whoever decides sees all reservations, and host, GPUs and fence are written together. See `round.Round`.
"""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from modelwright.compute import copies, hints, transitions
from modelwright.compute.backends.base import Backend, BackendError, Cause, ImageMissingError, UnavailableError
from modelwright.compute.cut_off import note_start
from modelwright.compute.ending import end_workload, wake_queue
from modelwright.compute.models import EnvironmentCopy, Workload
from modelwright.compute.rounds import Round
from modelwright.compute.specs import make_spec
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)

# Names the lock that rounds hold. Any number that nothing else in the database uses.
ROUND_LOCK = 0x6D770001
# A round asks the database all the time. One whose process was stopped in the middle of it is broken off after so long,
# since it holds up all other rounds, and the signs of life of hosts whose rows it has locked.
STOPPED_MILLISECONDS = 10_000


def is_awaited(workload_id: UUID | None = None) -> bool:
    """Whether a look at the queue is due, for this workload or for any. Whoever came first did it for all."""
    due = Q(hinted_at__isnull=False) | Q(available_at__lte=timezone.now())
    queued = Workload.objects.filter(due, state="queued")
    return (queued.filter(pk=workload_id) if workload_id else queued).exists()


def place_and_start(
    workload_id: UUID | None, backend: Backend, *, by_hand: bool = False, if_awaited: bool = False
) -> None:
    """Has a round, starts what it placed on this host and tells other hosts of what it placed there.

    The workload named is started here and now; messages go out for the others of this host, so that all its workers
    start them, unless nobody answers those (`by_hand`). `if_awaited` as for `place_queue`.
    """
    placed = place_queue(workload_id, if_awaited=if_awaited)
    for workload in placed:
        name = workload.host.name if workload.host is not None else ""
        if name != settings.HOST_NAME:
            hints.start(workload.pk, name)
        elif workload.pk == workload_id:
            start(workload, backend)
        elif by_hand or not hints.start(workload.pk, name):
            start_here(workload.pk, backend)
    if workload_id is not None and all(workload.pk != workload_id for workload in placed):
        # An earlier round may have placed it here.
        start_here(workload_id, backend)


def place(workload_id: UUID) -> Workload | None:
    """Has a round; the workload if that placed it, its start begun where its host is this one."""
    return next((workload for workload in place_queue(workload_id) if workload.pk == workload_id), None)


@transaction.atomic
def place_queue(asked: UUID | None = None, *, if_awaited: bool = False) -> list[Workload]:
    """Has a round: reserves hosts and GPUs for what waits and fits, and writes on all others why they wait.

    Answers what was placed. The start of the workload `asked` has begun where its host is this one. With `if_awaited`
    there is no round where another one has answered for it meanwhile.
    """
    if not Workload.objects.filter(state="queued").exists():
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true), pg_advisory_xact_lock(%s)",
            [str(STOPPED_MILLISECONDS), ROUND_LOCK],
        )
    if if_awaited and not is_awaited(asked):
        return []
    placed = Round(asked).run()
    for workload_id, fence, host_name in placed:
        if workload_id == asked and host_name == settings.HOST_NAME:
            transitions.begin_start(workload_id, fence)
    rows = Workload.objects.select_related("environment", "host").filter(pk__in=[pk for pk, _, _ in placed])
    by_id = {row.pk: row for row in rows}
    return [by_id[pk] for pk, _, _ in placed]


def start_here(workload_id: UUID, backend: Backend) -> None:
    """Starts the workload if it is placed on this host and nobody has begun to."""
    rows = Workload.objects.select_related("environment", "host")
    workload = rows.filter(pk=workload_id, state="placed", host__name=settings.HOST_NAME).first()
    if workload is not None and begin(workload):
        start(workload, backend)


def begin(workload: Workload) -> bool:
    """Begins the start of what is placed on this host; False when somebody else has, or when it cannot be here.

    An environment whose files are gone from this host's disk sends it back into the queue.
    """
    if workload.fence is None or workload.host is None:
        return False
    if workload.environment is not None:
        copy = EnvironmentCopy.objects.filter(environment=workload.environment, host=workload.host).first()
        found = copies.look_here(workload.environment, workload.host, copy)
        if found is None or found.state != "ready":
            reason = f"Its environment is gone from host {workload.host.name} and is made again."
            with transaction.atomic():
                if transitions.unplace(workload.pk, workload.fence, reason=reason):
                    wake_queue()
            return False
    return transitions.begin_start(workload.pk, workload.fence)


def start(workload: Workload, backend: Backend) -> None:
    """Hands the workload, whose start has begun, to this host's backend. Its failure ends the workload.

    A backend that nobody answers for is no failure: the row says so, and the watcher tries again.
    """
    note_start(workload)
    try:
        backend.start(make_spec(workload))
    except UnavailableError as error:
        logger.warning("workload %s could not be started yet: %s", workload.pk, error)
        starting = Workload.objects.filter(pk=workload.pk, fence=workload.fence, state="starting")
        starting.update(waiting_reason=str(error)[:2000])
    except (BackendError, PlatformError, OSError) as error:
        if isinstance(error, ImageMissingError):
            copies.note_gone(workload)
        logger.warning("workload %s could not be started: %s", workload.pk, error)
        end_workload(workload.pk, workload.fence, cause=Cause.FAILED, facts={"detail": str(error)})
