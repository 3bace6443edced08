"""What a host's watcher does once a second: compares what runs here with what should, and makes the two agree.

Rows are the truth for what should run, the backend for what does. Everything here may be repeated, by several watchers
at once, and may stop at any point: the next tick goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from modelwright.compute import hints, placement, transitions
from modelwright.compute.announcing import announce_host
from modelwright.compute.backends.base import Backend, Cause, Phase, WorkloadKey, WorkloadStatus
from modelwright.compute.backends.shim import record
from modelwright.compute.cut_off import in_contact, keep_notes, mark_removed, notes
from modelwright.compute.ending import end_workload
from modelwright.compute.layout import local_backend, workloads_folder
from modelwright.compute.models import Host, Workload
from modelwright.compute.states import LIVE_ON_HOST

logger = logging.getLogger(__name__)

# How long a starter is given before the watcher takes its work over. It is the same work, so a race does no harm.
START_GRACE = timedelta(seconds=5)


def tick(host: Host | None = None, backend: Backend | None = None) -> None:
    """One round for this host."""
    host = host or this_host()
    backend = backend or local_backend()
    if host.state == "removed":
        leave(backend)
        return
    # Rows first: what is started after this look has a row that is not in it, and is looked up afresh below.
    noted = notes()
    rows = list(Workload.objects.filter(host=host, state__in=LIVE_ON_HOST).select_related("environment", "host"))
    found = {status.key: status for status in backend.list()}
    for row in rows:
        key = _key(row)
        status = found.pop(key, None) or backend.status(key)
        _contained(row.pk, partial(_agree, row, status, backend))
    for unexpected in found.values():
        _contained(unexpected.key.workload_id, partial(_unexpected, unexpected, backend))
    keep_notes(rows, noted)
    transitions.renew_leases(host)
    wake_queue(backend)


class News:
    """Whether a workload of this host has ended since the last time that somebody asked."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._seen: int | None = None

    def __call__(self) -> bool:
        """One look at the time of a file."""
        try:
            now = (workloads_folder() / record.ENDED).stat().st_mtime_ns
        except OSError:
            return False
        is_new, self._seen = now != self._seen, now
        return is_new


def heartbeat() -> None:
    """One sign of life: a loop of its own, because a round may take long, and whoever is silent is given up."""

    def tell() -> None:
        host = announce_host()
        if host.state != "removed":
            transitions.renew_leases(host)

    in_contact(tell)


def this_host() -> Host:
    """The row of this host, entered where there is none."""
    return Host.objects.filter(name=settings.HOST_NAME).first() or announce_host()


def leave(backend: Backend) -> None:
    """This host was removed: ends what runs here, then says that there is nothing left to do."""
    running = [status for status in backend.list() if status.phase is not Phase.ENDED]
    for status in running:
        backend.stop(status.key, cause=Cause.LOST, message="Its host was removed.")
    if not running:
        mark_removed()


def wake_queue(backend: Backend) -> None:
    """Has the queue looked at when that is due.

    It sends a message to the workers; where none can be sent, or one was not answered, it does their work itself.
    """
    now = timezone.now()
    due = Workload.objects.filter(state="queued", available_at__lte=now)
    unanswered = due.exclude(hinted_at=None).order_by("queued_at").values_list("pk", flat=True).first()
    if unanswered is None:
        woken = due.filter(hinted_at=None).update(available_at=now + hints.ANSWERED_WITHIN, hinted_at=now)
        if not woken or hints.look_at_queue():
            return
    _contained("the queue", partial(placement.place_and_start, unanswered, backend, by_hand=True, if_awaited=True))


def _agree(row: Workload, status: WorkloadStatus | None, backend: Backend) -> None:
    """One live row of this host and what the host knows of it."""
    assert row.fence is not None  # noqa: S101 - a live row has a placement
    if status is None:
        _not_there(row, backend)
        return
    if status.phase is Phase.ENDED:
        if status.cause is Cause.LOST:
            backend.stop(status.key)
        end_workload(row.pk, row.fence, cause=status.cause or Cause.LOST, facts=_facts(status))
        return
    if row.cancel_requested_at is not None:
        backend.stop(status.key, message=f"Cancelled by {row.cancel_requested_by}.")
    if status.phase is Phase.RUNNING and row.state == "starting":
        started_at = _moment(status.started_at) or timezone.now()
        transitions.mark_running(row.pk, row.fence, started_at=started_at)


def _not_there(row: Workload, backend: Backend) -> None:
    if row.cancel_requested_at is not None:
        backend.stop(_key(row), message=f"Cancelled by {row.cancel_requested_by} before it started.")
    if row.placed_at is not None and timezone.now() - row.placed_at < START_GRACE:
        return
    if row.state == "running":
        # It was seen running, and even its record is gone.
        facts = {"detail": "Its folder on the host has disappeared; what became of it is not known."}
        end_workload(row.pk, row.fence, cause=Cause.LOST, facts=facts)
        return
    if row.state == "placed" and not placement.begin(row):
        return
    placement.start(row, backend)


def _unexpected(status: WorkloadStatus, backend: Backend) -> None:
    """Something of this host that no live row of the first look stands for."""
    row = Workload.objects.filter(pk=UUID(status.key.workload_id)).first()
    if row is not None and row.fence == status.key.fence and not row.is_ended:
        return  # Placed since that look.
    if status.phase is not Phase.ENDED:
        logger.warning("workload %s has no place in the database and is stopped", status.key.name)
        backend.stop(status.key, cause=Cause.LOST, message="The platform had given it up.")
    elif row is None or row.fence != status.key.fence or row.collected_at is not None:
        backend.remove(status.key, keep_record=row is not None and row.fence == status.key.fence)


def _contained(subject: object, step: Callable[[], None]) -> None:
    """One workload's trouble must not keep the others from being looked after."""
    try:
        step()
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        logger.exception("watching workload %s", subject)


def _key(row: Workload) -> WorkloadKey:
    return WorkloadKey(str(row.pk), row.fence or 0)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _facts(status: WorkloadStatus) -> dict[str, object]:
    facts: dict[str, object] = {
        "exit_code": status.exit_code,
        "signal": status.signal,
        "detail": status.message,
        "peak_memory_bytes": status.peak_memory_bytes,
    }
    if status.started_at is not None:
        facts["started_at"] = _moment(status.started_at)
    if status.finished_at is not None:
        facts["finished_at"] = _moment(status.finished_at)
    return facts
