"""Who made a version: the person whose run trained it, wherever that ran."""

from __future__ import annotations

from jobs.models import Run
from jobs.tracking.database import NothingLoggedYet, reading
from jobs.tracking.tags import USER_TAG
from models.registry.models import ModelVersion
from modelwright.accounts.models import User

_TAG = "SELECT value FROM tags WHERE run_uuid = %s AND key = %s"


def author_of(version: ModelVersion) -> User | None:
    """The person who started the run, else who made its job, else whose token tracked it from elsewhere.

    Else whoever registered it; None where nobody knows. Raises Unavailable where only MLflow could tell and is away.
    """
    rows = Run.objects.select_related("created_by", "job__created_by")
    run = rows.filter(pk=version.source_run_id).first() if version.source_run_id else None
    if run is not None and (person := run.created_by or (run.job.created_by if run.job else None)):
        return person
    return _tracked_by(version) or version.registered_by


def _tracked_by(version: ModelVersion) -> User | None:
    if not version.mlflow_run_id:
        return None
    try:
        with reading() as cursor:
            row = cursor.execute(_TAG, [version.mlflow_run_id, USER_TAG]).fetchone()
    except NothingLoggedYet:
        return None
    return User.objects.filter(username=str(row["value"])).first() if row else None
