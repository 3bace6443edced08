"""Notes which artifacts a run fetched and sent. The proxy sees each of them, whatever the script is written in."""

from __future__ import annotations

import logging
import re
from uuid import UUID

from django.db import DatabaseError, close_old_connections

from jobs.models import ArtifactUse
from jobs.tracking.registered import artifact_name

logger = logging.getLogger(__name__)

MAX_NOTED = 2000
_LONGEST = 1000
# Files of logged models: the registry says what came from what there.
_OF_MODEL = re.compile(r"\A\d+/models/m-[0-9A-Za-z]+/")


def note_artifact(run_id: UUID, workspace: str, method: str, path: str) -> None:
    """Note one artifact once. Runs in a thread; a failure costs the note and not the call."""
    name = artifact_name(workspace, path)
    if _OF_MODEL.match(name) or len(name) > _LONGEST:
        return
    kind = ArtifactUse.Kind.READ if method == "GET" else ArtifactUse.Kind.WROTE
    close_old_connections()
    try:
        uses = ArtifactUse.objects.filter(run_id=run_id)
        if not uses.filter(kind=kind, path=name).exists() and uses.count() < MAX_NOTED:
            ArtifactUse.objects.bulk_create([ArtifactUse(run_id=run_id, kind=kind, path=name)], ignore_conflicts=True)
    except DatabaseError:
        logger.exception("an artifact of run %s is not noted", run_id)
    finally:
        close_old_connections()
