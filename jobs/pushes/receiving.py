"""Takes what a Git server elsewhere posts: genuine, once, not too often, audited."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from jobs.models import Push, PushStart
from jobs.pushes.selectors import no_such_start
from jobs.pushes.services import target_of
from jobs.pushes.signatures import is_genuine, read_push
from jobs.pushes.starting import take
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import record
from modelwright.core.crypto import decrypt
from modelwright.core.errors import PermissionRefused, PlatformError, TooManyRequests, ValidationFailed

MOST_A_MINUTE = 30
MINUTE = timedelta(minutes=1)


def receive(start_id: UUID, headers: Mapping[str, str], body: bytes, *, address: str) -> Push | None:
    """What came of what was posted; None where exactly that was posted before, which starts nothing again.

    Raises NotFound, PermissionRefused (not genuine), TooManyRequests, ValidationFailed.
    """
    starts = PushStart.objects.exclude(via=PushStart.Via.GIT).filter(pk=start_id, is_active=True)
    start: PushStart | None = starts.select_related("project__workspace", "job", "maker").first()
    if start is None:
        raise no_such_start()
    if not is_genuine(start.via, decrypt(start.secret), headers, body, time.time()):
        error: PlatformError = PermissionRefused(
            "The signature or token is not the one of this webhook.",
            remedy="Give the sender the secret that was shown when it was set up, or make another.",
        )
        _note_refusal(start, error, address)
        raise error
    key = hashlib.sha256(body).hexdigest()
    if Push.objects.filter(start=start, key=key).exists():
        return None
    if Push.objects.filter(start=start, created_at__gte=timezone.now() - MINUTE).count() >= MOST_A_MINUTE:
        error = TooManyRequests(
            f"More than {MOST_A_MINUTE} pushes in a minute were told to this webhook.", remedy="Post it again later."
        )
        _note_refusal(start, error, address)
        raise error
    try:
        told = read_push(start.via, headers, body)
    except ValueError as problem:
        raise ValidationFailed(str(problem), remedy="Send the push as JSON (application/json).") from None
    return take(start, told, key=key, commit=None, address=address)


@transaction.atomic
def _note_refusal(start: PushStart, error: PlatformError, address: str) -> None:
    """One audit row a minute at most: whoever posts nonsense must not fill the log."""
    now = timezone.now()
    quiet = PushStart.objects.filter(Q(refused_at=None) | Q(refused_at__lt=now - MINUTE), pk=start.pk)
    if not quiet.update(refused_at=now):
        return
    record(
        acting_user=Actor(user=None, kind="system", name="webhook", address=address),
        action=AuditAction.PUSH_REFUSED,
        target=target_of(start),
        reason=error.message,
        workspace_id=start.project.workspace_id,
        project_id=start.project_id,
    )
