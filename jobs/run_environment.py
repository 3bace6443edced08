"""The environment variables of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.models import Run
from modelwright.accounts.actors import Actor
from modelwright.compute.models import Workload
from modelwright.compute.observing import CAPTURED, PRIVATE
from modelwright.core.crypto import decrypt
from projects.models import Project
from projects.variables.giving import Subject, environment_of, record_reads
from workspaces.selectors import data_connections

CAPTURE_SITE = "{runtime}/modelwright_runtime/capture/site"
SCRATCH = "scratch"


def plain_variables(run: Run, own: Mapping[str, str]) -> dict[str, str]:
    """What is no secret. `own` are the job's variables, which cannot replace the platform's."""
    return {
        **own,
        "PYTHONPATH": ":".join(filter(None, [CAPTURE_SITE, own.get("PYTHONPATH", "")])),
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": own.get("PYTHONHASHSEED", "0"),
        "TMPDIR": f"{{work}}/{PRIVATE}/{SCRATCH}",
        "MLFLOW_TRACKING_URI": "{web}/mlflow",
        "MLFLOW_EXPERIMENT_NAME": own.get("MLFLOW_EXPERIMENT_NAME") or run.name,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # They lead to MLflow's own pages, which the platform does not show.
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "DO_NOT_TRACK": "true",
        # MLflow asks for a Git that images need not have; the platform knows the commit.
        "GIT_PYTHON_REFRESH": "quiet",
        "MODELWRIGHT_RUN_ID": str(run.pk),
        "MODELWRIGHT_RUN_NUMBER": str(run.number),
        "MODELWRIGHT_PROJECT": run.project.name,
        "MODELWRIGHT_PROJECT_ID": str(run.project_id),
        "MODELWRIGHT_COMMIT": run.commit,
        "MODELWRIGHT_PARAMETERS": json.dumps(run.parameters),
        "MODELWRIGHT_CAPTURE": f"{{work}}/{PRIVATE}/{CAPTURED}",
        "MODELWRIGHT_CAPTURE_ROOTS": "{work}",
    }


@dataclass(frozen=True, slots=True)
class RunSecrets:
    """What a run is given in secret, as `create_workload` takes it; `names` are the project's secrets among it."""

    variables: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    masked: Sequence[str] = field(repr=False)
    names: Sequence[str]


def run_secrets(project: Project, plain: Mapping[str, str], token: str) -> RunSecrets:
    """The project's variables, as far as neither the job nor the platform sets them; data connections; the token."""
    given = environment_of(project, taken=plain)
    connections = _connections(project)
    own = {"MODELWRIGHT_CONNECTIONS": json.dumps(connections), "MLFLOW_TRACKING_TOKEN": token}
    masked = [*given.masked, token, *(each["secret"] for each in connections.values())]
    return RunSecrets({**given.variables, **own}, given.files, masked, given.names)


def record_run_reads(run: Run, workload: Workload, names: Sequence[str], *, attempt: int, acting_user: Actor) -> None:
    """Note which secrets of the project an attempt of the run was given."""
    record_reads(
        run.project,
        names,
        workload=workload,
        subject=Subject("run", run.pk, str(run)),
        attempt=attempt,
        for_whom=run.created_by,
        acting_user=acting_user,
    )


def _connections(project: Project) -> dict[str, dict[str, Any]]:
    """The workspace's data connections in the clear, as `modelwright_runtime.client.connection` reads them."""
    return {
        row.name: {"kind": row.kind, "config": row.config, "secret": decrypt(row.secret) if row.secret else ""}
        for row in data_connections(project.workspace)
    }


def slug(project: Project, script: str) -> str:
    """A run's name where no job gives one: the script's name as the platform's names are written."""
    text = "".join(c if c.isascii() and c.isalnum() else "-" for c in Path(script).stem.lower()).strip("-")[:63]
    return text.strip("-") or project.name
