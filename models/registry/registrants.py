"""Who registered a version: the tracking proxy stamps it on every version, and clients cannot."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

from jobs.models import Run
from jobs.tracking.tags import RUN_ID_TAG, USER_TAG
from models.registry.outbox import Entry
from modelwright.accounts.models import User

_TAGS = """
SELECT key, value FROM model_version_tags
 WHERE workspace = %s AND name = %s AND version = %s AND key IN (%s, %s)
"""


def registrant_of(connection: psycopg.Connection[dict[str, Any]], entry: Entry) -> User | None:
    """The person whose token registered the version, else who started the run that did, or made its job."""
    rows = connection.execute(_TAGS, [entry.workspace, entry.name, entry.version, USER_TAG, RUN_ID_TAG]).fetchall()
    tags = {row["key"]: row["value"] for row in rows}
    if username := tags.get(USER_TAG):
        return User.objects.filter(username=username).first()
    try:
        run_id = UUID(str(tags.get(RUN_ID_TAG)))
    except ValueError:
        return None
    run = Run.objects.select_related("created_by", "job__created_by").filter(pk=run_id).first()
    if run is None:
        return None
    return run.created_by or (run.job.created_by if run.job else None)
