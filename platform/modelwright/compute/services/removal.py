"""Takes a host out for good: what runs there ends, and its access with it."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import database_roles, redis_users, transitions
from modelwright.compute.backends.base import Cause
from modelwright.compute.ending import end_workload
from modelwright.compute.models import EnvironmentCopy, Host, JoinToken, Workload
from modelwright.compute.states import LIVE_ON_HOST
from modelwright.core.errors import Conflict, Unavailable

logger = logging.getLogger(__name__)
# So long its watcher may still read that it was removed, and end what runs there.
LEAVING = timedelta(seconds=20)
NAMED = 3


@transaction.atomic
def remove_host(host: Host, *, force: bool = False, acting_user: Actor) -> Host:
    """Takes the host out for good. It opens no new connection to the database from now on, and has none to Redis; its
    watcher, if it still hears of it, ends what runs there; a little later its access is deleted. Joining again needs a
    new token.

    What had not begun there goes back to the queue. Doing it twice is harmless. Site administrators only. Raises
    PermissionRefused, Unavailable, and Conflict while something runs there, unless `force`: that is lost then.
    """
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    host = Host.objects.select_for_update().get(pk=host.pk)
    if host.state == "removed":
        return host
    _check_joined(host)
    live = list(Workload.objects.select_for_update(of=("self",)).filter(host=host, state__in=LIVE_ON_HOST))
    running = [workload for workload in live if workload.state != "placed"]
    if running and not force:
        raise Conflict(
            f"{_named(running)} on host {host.name}, and would be lost.",
            remedy="Drain the host and wait until they have ended, or remove it by force.",
            field="force",
        )
    before = host.state
    transitions.host_state(host, to="removed")
    Host.objects.filter(pk=host.pk).update(heartbeat_at=Now())
    for workload in live:
        _give_up(workload, host, acting_user)
    for workload in Workload.objects.filter(pinned_host=host, state="queued"):
        facts = {"detail": f"Host {host.name}, which it was for, was removed."}
        end_workload(workload.pk, None, cause=Cause.FAILED, facts=facts, acting_user=acting_user)
    EnvironmentCopy.objects.filter(host=host).delete()
    record(
        acting_user=acting_user,
        action=AuditAction.HOST_REMOVED,
        target=Target("host", host.pk, host.name),
        before={"state": before},
        after={"state": "removed", "lost": [str(workload.pk) for workload in running]},
    )
    if host.database_role:
        database_roles.forbid(host.database_role)
    if host.redis_user:
        transaction.on_commit(_end_redis_users)
    host.refresh_from_db()
    return host


def end_access() -> int:
    """Ends the connections of removed hosts and deletes their roles, where hosts have roles of their own; how many. So
    with their users of Redis, where that was not to be reached as they were removed.

    One tick of a loop. No audit row: the removal is on record.
    """
    _end_redis_users()
    if not database_roles.can_make():
        return 0
    gone = Host.objects.filter(state="removed", heartbeat_at__lt=Now() - LEAVING).exclude(database_role="")
    for host in list(gone):
        database_roles.end(host.database_role)
        Host.objects.filter(pk=host.pk, state="removed").update(database_role="")
        logger.info("the access of host %s is deleted", host.name)
    return len(gone)


def _end_redis_users() -> None:
    gone = Host.objects.filter(state="removed").exclude(redis_user="") if redis_users.can_make() else ()
    for host in gone:
        try:
            redis_users.end(host.redis_user)
        except Unavailable:
            return  # The log has it; the next tick tries again.
        Host.objects.filter(pk=host.pk, state="removed").update(redis_user="", redis_digest="")
        logger.info("the access of host %s to Redis is deleted", host.name)


def _check_joined(host: Host) -> None:
    """The platform's own machine never joined, so it could not come back."""
    if host.name == settings.HOST_NAME and not JoinToken.objects.filter(host=host).exists():
        raise Conflict(
            f"Host {host.name} is the machine that the platform itself runs on.",
            remedy="Drain it, if it should take no workloads.",
        )


def _give_up(workload: Workload, host: Host, acting_user: Actor) -> None:
    fence = workload.fence or 0
    if transitions.unplace(workload.pk, fence, reason=f"Host {host.name} was removed before it began."):
        return
    facts = {"detail": f"Host {host.name} was removed by {acting_user.name} while it ran there."}
    end_workload(workload.pk, fence, cause=Cause.LOST, facts=facts, acting_user=acting_user)


def _named(running: list[Workload]) -> str:
    names = ", ".join(workload.name for workload in running[:NAMED])
    more = f" and {len(running) - NAMED} more" if len(running) > NAMED else ""
    return f"{names}{more} {'is' if len(running) == 1 else 'are'} running"
