"""What is told of a process: who, when, where, what it ran, what it used, how it ended, what it read and wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from jobs.models import Run
from jobs.selectors import runs_of_workloads
from models.batch.selectors import scored_by
from models.endpoints.models import Replica
from models.endpoints.selectors import replicas_of_workloads
from models.predictions.evidence_selectors import asked_again_by
from models.registry.models import ModelVersion
from models.registry.selectors import inspected_by
from models.replays.selectors import replayed_by
from modelwright.compute.models import EnvironmentCopy, Workload
from modelwright.console.processes import command_of
from projects.models import Project
from sessions.models import SessionRead, SessionStart
from sessions.selectors import reads_of_workload, starts_of_workloads
from workspaces.models import Workspace

COLUMNS = (
    "id", "kind", "name", "state", "created_by", "workspace_id", "workspace", "project_id", "project",
    "queued_at", "placed_at", "started_at", "finished_at", "cancel_requested_at", "cancel_requested_by",
    "host", "backend", "fence", "command", "variables", "directory", "code_archive", "models",
    "environment", "python_version", "image",
    "cpu", "memory_bytes", "gpus", "gpu_devices", "timeout_seconds", "peak_memory_bytes",
    "exit_code", "signal", "detail", "waiting_reason",
    "run_id", "run", "commit", "script", "model_version_id", "model_version", "endpoint_id", "endpoint",
    "log_sha256", "results_sha256", "read", "written",
)  # fmt: skip
# Plain values are no secrets, but people put them there all the same.
_LIKE_A_SECRET = re.compile(r"(?i)token|secret|passw|credential|api_?key|private_?key|access_?key")
MAX_READS = 500
HIDDEN = "hidden, because its name sounds like a secret"


@dataclass(frozen=True)
class Belongings:
    """What processes belong to, by their ids, looked up once for a whole page."""

    workspaces: Mapping[UUID, Workspace]
    projects: Mapping[UUID, Project]
    runs: Mapping[UUID, Run]
    replicas: Mapping[UUID, Replica]
    session_starts: Mapping[UUID, SessionStart]
    inspected: Mapping[UUID, ModelVersion]
    images: Mapping[tuple[UUID, UUID], str]

    def version(self, workload: Workload) -> ModelVersion | None:
        """The model version that it serves, inspects, scores with or asks again."""
        replica = self.replicas.get(workload.pk)
        return replica.model_version if replica else self.inspected.get(workload.pk)

    def image(self, workload: Workload) -> str:
        """The container image that it runs in, empty where there is none."""
        own = str(workload.spec.get("image") or "")
        if own or workload.environment_id is None or workload.host_id is None:
            return own
        return self.images.get((workload.environment_id, workload.host_id), "")


def belongings(workloads: Sequence[Workload]) -> Belongings:
    """For processes that the caller may see, as auditors may see all."""
    ids = [each.pk for each in workloads]
    environments = {each.environment_id for each in workloads}
    copies = EnvironmentCopy.objects.filter(environment__in=environments).exclude(image="")
    return Belongings(
        workspaces=Workspace.objects.in_bulk({each.workspace_id for each in workloads if each.workspace_id}),
        projects=Project.objects.in_bulk({each.project_id for each in workloads if each.project_id}),
        runs=runs_of_workloads(ids),
        replicas=replicas_of_workloads(ids),
        session_starts=starts_of_workloads(ids),
        inspected={
            **inspected_by(ids),
            **{pk: job.model_version for pk, job in scored_by(ids).items()},
            **asked_again_by(ids),
            **replayed_by(ids),
        },
        images={(each.environment_id, each.host_id): each.image for each in copies},
    )


def records(workloads: Sequence[Workload]) -> list[dict[str, Any]]:
    """One mapping with COLUMNS for each process. Secret variables are in none of them."""
    found = belongings(workloads)
    return [record(each, found) for each in workloads]


def record(workload: Workload, found: Belongings) -> dict[str, Any]:
    """What is told of one process."""
    read, written = files(workload, found)
    return {**_plain(workload), **_spec(workload), **_places(workload, found), "read": read, "written": written}


def variables_of(workload: Workload) -> dict[str, str]:
    """Its plain variables. Secret ones are kept apart, encrypted, and forgotten at its end."""
    given: Mapping[str, str] = workload.spec.get("environment", {})
    return {name: HIDDEN if _LIKE_A_SECRET.search(name) else str(value) for name, value in sorted(given.items())}


def files(workload: Workload, found: Belongings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(read, written): each file with its path, SHA-256 and size, as far as it was observed."""
    run, version = found.runs.get(workload.pk), found.version(workload)
    seen: Mapping[str, Any] = (run.observed or {}) if run and run.workload_id == workload.pk else {}
    if start := found.session_starts.get(workload.pk):
        seen = start.observed or {}
    read = [*_files(seen, "read"), *_files(seen, "fetched", "artifact ")]
    written = [*_files(seen, "written"), *_files(seen, "sent", "artifact ")]
    if version is not None:
        read.append({"path": f"model {version}", "sha256": version.manifest_digest, "size": version.size})
    if workload.results_sha256:
        written.append(
            {"path": "everything that it left, as a manifest", "sha256": workload.results_sha256, "size": None}
        )
    return read, written


def data_reads(workload: Workload, found: Belongings) -> list[SessionRead]:
    """What it read of data connections, newest first, where it is a start of a session."""
    return reads_of_workload(workload.pk, MAX_READS) if workload.pk in found.session_starts else []


def _files(seen: Mapping[str, Any], kind: str, prefix: str = "") -> list[dict[str, Any]]:
    return [{"path": f"{prefix}{path}", "sha256": sha256, "size": size} for path, sha256, size in seen.get(kind, [])]


def gpus_of(workload: Workload) -> list[dict[str, Any]]:
    """The GPUs that are or were its own: index and name, as its host knows them now."""
    names = {gpu.get("index"): gpu.get("name", "") for gpu in (workload.host.gpus if workload.host else [])}
    return [{"index": index, "name": names.get(index, "")} for index in workload.gpu_indexes]


_OWN = (
    "id", "kind", "name", "state", "created_by", "workspace_id", "project_id", "queued_at", "placed_at", "started_at",
    "finished_at", "cancel_requested_at", "cancel_requested_by", "fence", "cpu", "memory_bytes", "gpus",
    "timeout_seconds", "peak_memory_bytes", "exit_code", "signal", "detail", "waiting_reason", "log_sha256",
    "results_sha256",
)  # fmt: skip


def _plain(workload: Workload) -> dict[str, Any]:
    return {**{name: getattr(workload, name) for name in _OWN}, "gpu_devices": gpus_of(workload)}


def _spec(workload: Workload) -> dict[str, Any]:
    spec = workload.spec
    return {
        "command": command_of(workload),
        "variables": variables_of(workload),
        "directory": spec.get("directory", ""),
        "code_archive": (spec.get("source") or {}).get("archive", ""),
        "models": spec.get("models", []),
    }


def _places(workload: Workload, found: Belongings) -> dict[str, Any]:
    run, replica, version = found.runs.get(workload.pk), found.replicas.get(workload.pk), found.version(workload)
    workspace = found.workspaces.get(workload.workspace_id) if workload.workspace_id else None
    project = found.projects.get(workload.project_id) if workload.project_id else None
    return {
        "workspace": workspace.name if workspace else "",
        "project": project.name if project else "",
        "host": workload.host.name if workload.host else "",
        "backend": workload.host.backend if workload.host else "",
        "environment": workload.environment.lock_digest if workload.environment else "",
        "python_version": workload.environment.python_version if workload.environment else "",
        "image": found.image(workload),
        "run_id": run.pk if run else None,
        "run": str(run) if run else "",
        "commit": run.commit if run else "",
        "script": run.script if run else "",
        "model_version_id": version.pk if version else None,
        "model_version": str(version) if version else "",
        "endpoint_id": replica.endpoint_id if replica else None,
        "endpoint": replica.endpoint.path if replica else "",
    }
