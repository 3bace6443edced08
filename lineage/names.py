"""Identities of the platform's own nodes, so that every room names the same thing in the same way.

`attrs["id"]` is the id of the thing in its room, by which pages link to it; `attrs["title"]` is what people read.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lineage.kinds import NodeKind
from lineage.services import NodeSpec

PLATFORM = "modelwright"
MLFLOW = "mlflow"


def _own(kind: NodeKind, project_id: UUID, thing_id: UUID, title: str, digest: str = "", **attrs: Any) -> NodeSpec:
    return NodeSpec(kind, PLATFORM, str(thing_id), digest, project_id, {"id": str(thing_id), "title": title, **attrs})


def run(project_id: UUID, run_id: UUID, title: str) -> NodeSpec:
    """A run of the platform; `title` such as `train #12`."""
    return _own(NodeKind.RUN, project_id, run_id, title)


def tracked_run(project_id: UUID, mlflow_run_id: str, title: str) -> NodeSpec:
    """A run that is known to MLflow alone, such as one tracked from a person's own machine."""
    return NodeSpec(NodeKind.RUN, MLFLOW, mlflow_run_id, "", project_id, {"title": title})


def tracked_dataset(project_id: UUID, name: str, digest: str, **attrs: Any) -> NodeSpec:
    """A dataset as logged by `mlflow.log_input`. MLflow's digest covers the first rows only: a hint."""
    return NodeSpec(NodeKind.DATASET, MLFLOW, name, digest, project_id, {"title": name, **attrs})


def file(project_id: UUID, path: str, sha256: str, **attrs: Any) -> NodeSpec:
    """A file's content by its SHA-256; `path` as the run saw it."""
    return NodeSpec(NodeKind.FILE, "file", path, sha256, project_id, {"title": path.rsplit("/", 1)[-1], **attrs})


def commit(project_id: UUID, sha: str) -> NodeSpec:
    """A commit of the project's repository."""
    return NodeSpec(NodeKind.COMMIT, "git", str(project_id), sha, project_id, {"id": sha, "title": sha[:10]})


def environment(lock_digest: str, environment_id: UUID) -> NodeSpec:
    """An environment by the digest of its lock; it belongs to no project."""
    attrs = {"id": str(environment_id), "title": lock_digest[:12]}
    return NodeSpec(NodeKind.ENVIRONMENT, PLATFORM, lock_digest, lock_digest, None, attrs)


def model_version(project_id: UUID, version_id: UUID, title: str, manifest_digest: str) -> NodeSpec:
    """A registered version; `manifest_digest` names its files."""
    return _own(NodeKind.MODEL_VERSION, project_id, version_id, title, manifest_digest)


def deployment(project_id: UUID, deployment_id: UUID, title: str) -> NodeSpec:
    """A deployment of an endpoint."""
    return _own(NodeKind.DEPLOYMENT, project_id, deployment_id, title)


def endpoint(project_id: UUID, endpoint_id: UUID, title: str) -> NodeSpec:
    """An endpoint."""
    return _own(NodeKind.ENDPOINT, project_id, endpoint_id, title)


def predictions(project_id: UUID, deployment_id: UUID, title: str) -> NodeSpec:
    """All predictions of one deployment, never one node each."""
    return _own(NodeKind.PREDICTIONS, project_id, deployment_id, title)


def batch(project_id: UUID, batch_id: UUID, title: str) -> NodeSpec:
    """All predictions of one batch job."""
    return _own(NodeKind.PREDICTIONS, project_id, batch_id, title, batch=True)
