"""The tracking proxy as this installation runs it."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from jobs.tracking.artifact_notes import note_artifact
from jobs.tracking.proxy import TrackingProxy
from jobs.tracking.registered import refuse_registered
from jobs.tracking.upstream import Upstream


def tracking_application() -> TrackingProxy:
    """The proxy in front of the MLflow server that the settings name."""
    return TrackingProxy(
        Upstream(Path(settings.MLFLOW_SOCKET)), guard_artifact=refuse_registered, note_artifact=note_artifact
    )
