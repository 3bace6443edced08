"""Files that were uploaded to be scored, and that nobody used for as long as such are kept, are deleted. Their rows
stay, and so do the jobs that scored them."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils import timezone

from models.batch.models import BatchInput, BatchJob
from models.batch.states import LIVE
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.errors import PlatformError
from modelwright.storage.settings import upload_store

logger = logging.getLogger(__name__)
KEEPER = Actor.system("retention of uploads")
PIECE = 100
# Of every installation; who holds a share of it uses or adds a file, who holds it alone deletes some.
_LOCK = 7_246_108_331


def in_use() -> None:
    """No uploaded file is deleted before the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])


def tick() -> int:
    """Delete what is due; how many files that were. While files are being uploaded it waits for its next turn."""
    if not settings.UPLOAD_RETENTION_DAYS:
        return 0
    before, total = timezone.now() - timedelta(days=settings.UPLOAD_RETENTION_DAYS), 0
    try:
        while gone := _delete_some(before):
            total += gone
    except PlatformError as error:
        logger.warning("uploaded files could not be deleted, which is tried again: %s %s", error.message, error.remedy)
    return total


def due(before: datetime) -> QuerySet[BatchInput]:
    """Files that nobody used since, the oldest first. A job uses one while it goes on."""
    since = Q(state__in=LIVE) | Q(created_at__gte=before) | Q(ended_at__gte=before)
    jobs = BatchJob.objects.annotate(input_id=KeyTextTransform("input", "source")).filter(
        since, project=OuterRef("project"), input_id=Cast(OuterRef("pk"), TextField())
    )
    found = BatchInput.objects.filter(is_apart=True, deleted_at=None, created_at__lt=before).exclude(Exists(jobs))
    return found.select_related("project").order_by("pk")


@transaction.atomic
def _delete_some(before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    files = list(due(before)[:PIECE])
    gone = [file.pk for file in files]
    BatchInput.objects.filter(pk__in=gone).update(deleted_at=timezone.now())
    for file in files:
        # Where this is not committed, the file is due again, and deleting it twice does no harm.
        if not BatchInput.objects.filter(sha256=file.sha256, is_apart=True, deleted_at=None).exists():
            upload_store().delete(file.sha256)
        record(
            acting_user=KEEPER,
            action=AuditAction.BATCH_INPUT_DELETED,
            target=Target("batch input", file.pk, file.name),
            after={"name": file.name, "size": file.size, "sha256": file.sha256, "unused_since": before.isoformat()},
            workspace_id=file.project.workspace_id,
            project_id=file.project_id,
        )
    return len(files)
