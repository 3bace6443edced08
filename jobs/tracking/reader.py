"""What a platform run logged, read from MLflow's tables."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from jobs.tracking.database import NothingLoggedYet, Row, reading
from jobs.tracking.tags import ATTEMPT_TAG, RUN_ID_TAG

MAX_POINTS = 1000
_INTERNAL_TAGS = ("mlflow.", "modelwright.")


@dataclass(frozen=True, slots=True)
class Metric:
    """The latest value of a metric, None for not a number or infinite. `points` says how often it was logged."""

    key: str
    value: float | None
    step: int
    at: datetime
    points: int


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A data set that the script named with `log_input`. The digest is MLflow's: a hint, not an identity."""

    name: str
    digest: str
    source_type: str
    source: str
    context: str


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that the script logged."""

    model_id: str
    name: str
    kind: str
    artifact_location: str


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One MLflow run of a platform run; `parent` is the MLflow id of the run that it is nested in, `attempt` which
    attempt of it made it, None for what was logged before that was on record."""

    mlflow_id: str
    name: str
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    artifact_uri: str
    parent: str = ""
    attempt: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: list[DatasetInput] = field(default_factory=list)
    models: list[LoggedModel] = field(default_factory=list)


_RUNS = """
    SELECT r.run_uuid, r.name, r.status, r.start_time, r.end_time, r.artifact_uri, p.value AS parent, a.value AS attempt
    FROM runs r
    JOIN experiments e ON e.experiment_id = r.experiment_id AND e.workspace = %(workspace)s
    JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = %(tag)s AND t.value = %(run)s
    LEFT JOIN tags p ON p.run_uuid = r.run_uuid AND p.key = 'mlflow.parentRunId'
    LEFT JOIN tags a ON a.run_uuid = r.run_uuid AND a.key = %(attempt)s
    WHERE r.lifecycle_stage = 'active'
    ORDER BY (p.value IS NOT NULL), coalesce(length(a.value), 0), a.value, r.start_time, r.run_uuid
    LIMIT 200
"""
_PARAMETERS = "SELECT run_uuid, key, value FROM params WHERE run_uuid = ANY(%s) ORDER BY key"
_METRICS = """
    SELECT l.run_uuid, l.key, l.value, l.step, l.timestamp, l.is_nan,
           (SELECT count(*) FROM metrics m WHERE m.run_uuid = l.run_uuid AND m.key = l.key) AS points
    FROM latest_metrics l WHERE l.run_uuid = ANY(%s) ORDER BY l.key
"""
_TAGS = "SELECT run_uuid, key, value FROM tags WHERE run_uuid = ANY(%s) ORDER BY key"
_INPUTS = """
    SELECT i.destination_id AS run_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source,
           (SELECT c.value FROM input_tags c WHERE c.input_uuid = i.input_uuid AND c.name = 'mlflow.data.context')
               AS context
    FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
    WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id = ANY(%s)
    ORDER BY d.name
"""
_MODELS = """
    SELECT source_run_id AS run_uuid, model_id, name, model_type, artifact_location
    FROM logged_models WHERE source_run_id = ANY(%s) AND lifecycle_stage = 'active' ORDER BY creation_timestamp_ms
"""
# One point for each of at most so many equal slices of the steps, the last of its slice.
_HISTORY = """
    WITH points AS (
        SELECT step, timestamp, value, is_nan,
               ntile(%(slices)s) OVER (ORDER BY step, timestamp, value) AS slice,
               count(*) OVER () AS total
        FROM metrics WHERE run_uuid = %(run)s AND key = %(key)s
    )
    SELECT DISTINCT ON (slice) step, timestamp, value, is_nan, total
    FROM points ORDER BY slice, step DESC, timestamp DESC
"""


def tracked_runs(workspace: str, run_id: UUID) -> list[TrackedRun]:
    """The MLflow runs that the platform run made, outermost and earliest first. Raises Unavailable."""
    try:
        return _tracked_runs(workspace, run_id)
    except NothingLoggedYet:
        return []


def _tracked_runs(workspace: str, run_id: UUID) -> list[TrackedRun]:
    with reading() as cursor:
        asked = {"workspace": workspace, "tag": RUN_ID_TAG, "run": str(run_id), "attempt": ATTEMPT_TAG}
        rows = cursor.execute(_RUNS, asked).fetchall()
        runs = {row["run_uuid"]: _run(row) for row in rows}
        ids = [list(runs)]
        for row in cursor.execute(_PARAMETERS, ids):
            runs[row["run_uuid"]].parameters[row["key"]] = row["value"]
        for row in cursor.execute(_METRICS, ids):
            runs[row["run_uuid"]].metrics.append(_metric(row))
        for row in cursor.execute(_TAGS, ids):
            if not row["key"].startswith(_INTERNAL_TAGS):
                runs[row["run_uuid"]].tags[row["key"]] = row["value"] or ""
        for row in cursor.execute(_INPUTS, ids):
            runs[row["run_uuid"]].inputs.append(_input(row))
        for row in cursor.execute(_MODELS, ids):
            model = LoggedModel(row["model_id"], row["name"], row["model_type"] or "", row["artifact_location"])
            runs[row["run_uuid"]].models.append(model)
    return list(runs.values())


@dataclass(frozen=True, slots=True)
class History:
    """Points of a metric by step; `total` says how many there are, `points` holds at most the number asked for.
    `attempt` is the number of the attempt that logged them."""

    key: str
    total: int
    points: Sequence[tuple[int, float | None]]
    attempt: int | None = None


def metric_history(workspace: str, run_id: UUID, key: str, *, points: int = MAX_POINTS) -> list[tuple[str, History]]:
    """(MLflow run id, history) for each MLflow run of the platform run that logged the metric. Raises Unavailable."""
    found = []
    for run in tracked_runs(workspace, run_id):
        if not any(metric.key == key for metric in run.metrics):
            continue
        with reading() as cursor:
            rows = cursor.execute(_HISTORY, {"slices": points, "run": run.mlflow_id, "key": key}).fetchall()
        values = [(int(row["step"]), _number(row)) for row in rows]
        total = int(rows[0]["total"]) if rows else 0
        found.append((run.mlflow_id, History(key, total, values, run.attempt)))
    return found


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _number(row: Row) -> float | None:
    # MLflow stores infinity as the largest double.
    value = float(row["value"])
    return None if row["is_nan"] or abs(value) >= 1.797e308 or not math.isfinite(value) else value


def _run(row: Row) -> TrackedRun:
    return TrackedRun(
        mlflow_id=row["run_uuid"],
        name=row["name"] or "",
        status=row["status"] or "",
        started_at=_time(row["start_time"]),
        ended_at=_time(row["end_time"]),
        artifact_uri=row["artifact_uri"] or "",
        parent=row["parent"] or "",
        attempt=int(row["attempt"]) if (row["attempt"] or "").isdecimal() else None,
    )


def _metric(row: Row) -> Metric:
    at = datetime.fromtimestamp(row["timestamp"] / 1000, UTC)
    return Metric(row["key"], _number(row), int(row["step"]), at, int(row["points"]))


def _input(row: Row) -> DatasetInput:
    return DatasetInput(
        name=row["name"],
        digest=row["digest"],
        source_type=row["dataset_source_type"],
        source=_source(row["dataset_source"]),
        context=row["context"] or "",
    )


def _source(text: str) -> str:
    """The address in a data set's source, which MLflow keeps as JSON of many shapes."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        return text[:500]
    if isinstance(value, dict):
        for name in ("uri", "url", "path", "table", "table_name", "tags"):
            if value.get(name):
                return str(value[name])[:500]
    return text[:500]
