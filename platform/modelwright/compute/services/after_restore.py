"""What has to be put right once a backup is in place: it says what hosts had when it was made."""

from __future__ import annotations

from django.db import connection, transaction

from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import transitions
from modelwright.compute.models import EnvironmentCopy

# More placements than can have happened between the backup and the loss of what it was made of.
FENCES_SKIPPED = 1_000_000


@transaction.atomic
def settle(backup: str, *, acting_user: Actor) -> int:
    """Forget which host has which environment, and begin new fences; returns how many copies were forgotten.

    Copies are made again from their locks when they are wanted. With a fence that was never given, nothing of before
    the restore that may still run somewhere is taken for a new placement.
    """
    copies = EnvironmentCopy.objects.exclude(state="removed")
    forgotten = sum(transitions.copy_removed(copy) for copy in copies)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('compute_fence', nextval('compute_fence') + %s)", [FENCES_SKIPPED])
    record(
        acting_user=acting_user,
        action=AuditAction.INSTALLATION_RESTORED,
        target=Target("installation", backup, backup),
        after={"backup": backup, "environment_copies_forgotten": forgotten},
    )
    return forgotten
