"""Where a version's files are and which run made them, by MLflow's tables: never by what the client says alone."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings

from jobs.tracking.tags import RUN_ID_TAG
from models.registry.outbox import Connection, Entry

_MODEL = re.compile(r"\Amodels:/(m-[0-9A-Za-z]{1,40})/?\Z")
_VERSION = re.compile(r"\Amodels:/([^/@]+)/([0-9]{1,9})\Z")
_RUN = re.compile(r"\Aruns:/([0-9a-f]{32})/(.+)\Z")
_ARTIFACTS = re.compile(r"\Amlflow-artifacts:/+(.+)\Z")
MAX_VALUES = 500
_MAX_HOPS = 10


class Refused(Exception):
    """The source is not the project's own; the message says why."""


@dataclass(frozen=True)
class Dataset:
    """An input that the source run logged. MLflow's digest is a hint."""

    name: str
    digest: str
    source: str
    context: str


@dataclass(frozen=True)
class Source:
    """The folder of the version's files below the artifacts folder, and what is known of its making."""

    folder: Path
    mlflow_run_id: str = ""
    mlflow_model_id: str = ""
    run_name: str = ""
    run_id: UUID | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    datasets: tuple[Dataset, ...] = ()


def find(connection: Connection, entry: Entry) -> Source:
    """Resolve the source of a registration. Raises Refused when it or its run belongs to another workspace."""
    payload = entry.payload
    location, run_id, model_id = _resolve(connection, entry.workspace, str(payload.get("source") or ""), 0)
    claimed = str(payload.get("run_id") or "")
    if claimed and claimed != run_id:
        _run_of(connection, entry.workspace, claimed)
        run_id = run_id or claimed
    return Source(
        folder=_folder(location, entry.workspace),
        mlflow_run_id=run_id,
        mlflow_model_id=model_id,
        run_name=_run_name(connection, run_id),
        run_id=_platform_run(connection, run_id),
        metrics=_metrics(connection, run_id, model_id),
        parameters=_parameters(connection, run_id),
        datasets=_datasets(connection, run_id),
    )


def _resolve(connection: Connection, workspace: str, source: str, hops: int) -> tuple[str, str, str]:
    """(artifact address, MLflow run id, logged model id)."""
    if hops > _MAX_HOPS:
        raise Refused("The source leads from version to version without end.")
    if match := _MODEL.match(source):
        row = _logged_model(connection, workspace, match[1])
        return str(row["artifact_location"]), str(row["source_run_id"] or ""), match[1]
    if match := _VERSION.match(source):
        return _version(connection, workspace, unquote(match[1]), int(match[2]), hops)
    if match := _RUN.match(source):
        return _run_path(connection, workspace, match[1], match[2])
    if match := _ARTIFACTS.match(source):
        return source, "", ""
    raise Refused(
        f"The source {source[:200]!r} is none that the platform follows: only models:/, runs:/ and mlflow-artifacts:/."
    )


def _version(connection: Connection, workspace: str, name: str, number: int, hops: int) -> tuple[str, str, str]:
    row = connection.execute(
        "SELECT source FROM model_versions WHERE workspace = %s AND name = %s AND version = %s",
        [workspace, name, number],
    ).fetchone()
    if row is None:
        raise Refused(f"The source is version {number} of {name!r}, which this project does not have.")
    return _resolve(connection, workspace, str(row["source"]), hops + 1)


def _run_path(connection: Connection, workspace: str, run_id: str, path: str) -> tuple[str, str, str]:
    run = _run_of(connection, workspace, run_id)
    # Since MLflow 3 a model logged as `path` lies with the logged model, not with the run.
    row = connection.execute(
        "SELECT model_id, artifact_location FROM logged_models WHERE source_run_id = %s AND name = %s "
        "AND lifecycle_stage = 'active' ORDER BY creation_timestamp_ms DESC LIMIT 1",
        [run_id, path],
    ).fetchone()
    location = f"{str(run['artifact_uri']).rstrip('/')}/{path}"
    if row is not None and not _is_folder(location, workspace):
        return str(row["artifact_location"]), run_id, str(row["model_id"])
    return location, run_id, ""


def _is_folder(location: str, workspace: str) -> bool:
    try:
        return _folder(location, workspace).is_dir()
    except Refused:
        return False


def _logged_model(connection: Connection, workspace: str, model_id: str) -> dict[str, Any]:
    row = connection.execute(
        "SELECT m.artifact_location, m.source_run_id, e.workspace FROM logged_models m "
        "JOIN experiments e USING (experiment_id) WHERE m.model_id = %s",
        [model_id],
    ).fetchone()
    if row is None or row["workspace"] != workspace:
        raise Refused(f"The source is the logged model {model_id}, which is not this project's.")
    return row


def _run_of(connection: Connection, workspace: str, run_id: str) -> dict[str, Any]:
    row = connection.execute(
        "SELECT r.artifact_uri, e.workspace FROM runs r JOIN experiments e USING (experiment_id) WHERE r.run_uuid = %s",
        [run_id],
    ).fetchone()
    if row is None or row["workspace"] != workspace:
        raise Refused(f"The source is the run {run_id}, which is not this project's.")
    return row


def _folder(location: str, workspace: str) -> Path:
    match = _ARTIFACTS.match(location)
    if match is None:
        raise Refused(f"The files are at {location[:200]!r}, which the platform does not keep.")
    parts = unquote(match[1]).split("/")
    if parts[:1] != ["workspaces"]:
        # What a client names is relative to its own workspace.
        parts = ["workspaces", workspace, *parts]
    if parts[:2] != ["workspaces", workspace] or len(parts) < 3:
        raise Refused("The files are not among those of this project.")
    if any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise Refused("The path of the files is not a plain one.")
    root = Path(settings.MLFLOW_ARTIFACTS_DIR).resolve()
    folder = root.joinpath(*parts)
    if folder.resolve() != folder:
        raise Refused("A symbolic link lies on the way to the files.")
    return folder


def _run_name(connection: Connection, run_id: str) -> str:
    row = connection.execute("SELECT name FROM runs WHERE run_uuid = %s", [run_id]).fetchone()
    return str(row["name"] or "") if row else ""


def _platform_run(connection: Connection, run_id: str) -> UUID | None:
    row = connection.execute("SELECT value FROM tags WHERE run_uuid = %s AND key = %s", [run_id, RUN_ID_TAG]).fetchone()
    try:
        return UUID(str(row["value"])) if row else None
    except ValueError:
        return None


def _metrics(connection: Connection, run_id: str, model_id: str) -> dict[str, float | None]:
    rows = connection.execute(
        "SELECT key, value, is_nan, step FROM latest_metrics WHERE run_uuid = %s ORDER BY key LIMIT %s",
        [run_id, MAX_VALUES],
    ).fetchall()
    found = {row["key"]: None if row["is_nan"] else _finite(row["value"]) for row in rows}
    went_on = {row["key"] for row in rows if row["step"] > 0}
    own = connection.execute(
        "SELECT DISTINCT ON (metric_name) metric_name, metric_value, metric_step FROM logged_model_metrics "
        "WHERE model_id = %s ORDER BY metric_name, metric_step DESC, metric_timestamp_ms DESC LIMIT %s",
        [model_id, MAX_VALUES],
    ).fetchall()
    # MLflow gives a model that is logged without a step the values of step 0: of a curve that is its worst point.
    at_its_step = [row for row in own if row["metric_step"] > 0 or row["metric_name"] not in went_on]
    return found | {row["metric_name"]: _finite(row["metric_value"]) for row in at_its_step}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _parameters(connection: Connection, run_id: str) -> dict[str, str]:
    rows = connection.execute(
        "SELECT key, value FROM params WHERE run_uuid = %s ORDER BY key LIMIT %s", [run_id, MAX_VALUES]
    ).fetchall()
    return {row["key"]: row["value"][:1000] for row in rows}


def _datasets(connection: Connection, run_id: str) -> tuple[Dataset, ...]:
    rows = connection.execute(
        "SELECT DISTINCT d.name, d.digest, d.dataset_source, "
        "(SELECT t.value FROM input_tags t WHERE t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context') "
        "AS context FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id "
        "WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id = %s LIMIT %s",
        [run_id, MAX_VALUES],
    ).fetchall()
    return tuple(
        Dataset(row["name"], row["digest"], str(row["dataset_source"] or "")[:1000], row["context"] or "")
        for row in rows
    )
