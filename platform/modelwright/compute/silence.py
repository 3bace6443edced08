"""Hosts that are not heard from: one process judges them for the whole installation."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from modelwright.compute import transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.cut_off import CONTACT, Contact, in_contact
from modelwright.compute.ending import end_workload
from modelwright.compute.models import Workload
from modelwright.compute.selectors import HEARTBEAT_LIMIT, silent_hosts
from modelwright.compute.states import LIVE_ON_HOST

logger = logging.getLogger(__name__)
REMEDY = "Give the job retries, and it is tried again on another host. An administrator should look at the host."


def judge(contact: Contact = CONTACT) -> None:
    """One tick: gives up silent hosts, unless it is this process that has been out of touch."""
    in_contact(silent_hosts().exists, contact)
    if contact.is_steady:
        give_up_silent_hosts()


def give_up_silent_hosts() -> None:
    """Takes hosts that have been silent for too long as gone: what had not begun is queued again, the rest is lost."""
    for host in silent_hosts():
        if transitions.host_offline(host, silent=silent_hosts()):
            logger.warning("host %s has been silent since %s", host.name, host.heartbeat_at)
    # Also for hosts that went offline before somebody died half way through this.
    over = Q(lease_expires_at=None) | Q(lease_expires_at__lt=Now())
    gone = Workload.objects.filter(over, host__state__in=("offline", "removed"), state__in=LIVE_ON_HOST)
    for row in gone.select_related("host"):
        with transaction.atomic():
            # Meanwhile its host may have spoken up, and what it says it looks after is not lost.
            if gone.filter(pk=row.pk).select_for_update(of=("self",)):
                _give_up(row)


def _give_up(row: Workload) -> None:
    name = row.host.name if row.host else ""
    if row.fence is None or transitions.unplace(row.pk, row.fence, reason=f"Host {name} was lost before it began."):
        return
    limit = f"{HEARTBEAT_LIMIT.total_seconds():.0f} seconds"
    detail = f"Host {name} has not been heard from for {limit}, so what became of it there is not known.\n{REMEDY}"
    end_workload(row.pk, row.fence, cause=Cause.LOST, facts={"detail": detail})
