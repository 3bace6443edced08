"""What a batch job came from and what came from it. All of its predictions are one node."""

from __future__ import annotations

import hashlib

from lineage import names
from lineage.kinds import EdgeKind, NodeKind, Origin
from lineage.services import EdgeSpec, NodeSpec
from models.batch.models import BatchJob


def node_of(job: BatchJob) -> NodeSpec:
    """The job, which stands for its predictions."""
    return names.batch(job.project_id, job.pk, f"{job} of {job.model_version}")


def edges_of_input(job: BatchJob) -> list[EdgeSpec]:
    """From the version and the input to the job."""
    version = job.model_version
    made = names.model_version(job.project_id, version.pk, str(version), version.manifest_digest)
    edges = [EdgeSpec(made, node_of(job), EdgeKind.PREDICTED, origin=Origin.OBSERVED)]
    if job.source["kind"] != "file":
        edges += edges_of_reading(job)
    if job.source["kind"] == "repository":
        commit = names.commit(job.project_id, job.source["commit"])
        edges.append(EdgeSpec(commit, node_of(job), EdgeKind.USED, origin=Origin.OBSERVED))
    return edges


def edges_of_reading(job: BatchJob) -> list[EdgeSpec]:
    """From the input to the job. What a file of a data connection is, is known when a process has fetched it."""
    return [EdgeSpec(_input(job), node_of(job), EdgeKind.READ, origin=Origin.OBSERVED)]


def edges_of_output(job: BatchJob) -> list[EdgeSpec]:
    """From the job to its file."""
    if not job.output_sha256:
        return []
    title = f"{job.model_version.model.name}-batch-{job.number}.{job.output_format}"
    file = names.file(job.project_id, title, job.output_sha256)
    return [EdgeSpec(node_of(job), file, EdgeKind.WROTE, origin=Origin.OBSERVED)]


def edges_of_table(job: BatchJob) -> list[EdgeSpec]:
    """From the job to the table that it writes, which has rows from the first chunk on."""
    if not job.output_table:
        return []
    return [EdgeSpec(node_of(job), _table(job, job.output_table, written=True), EdgeKind.WROTE, origin=Origin.OBSERVED)]


def _input(job: BatchJob) -> NodeSpec:
    source = job.source
    if source["kind"] in ("upload", "repository"):
        return names.file(job.project_id, source["name"], source["sha256"])
    if source["kind"] == "file":
        attrs = {"title": source["path"], "connection": source["connection"]}
        return NodeSpec(NodeKind.DATASET, _place(job), source["path"], source["sha256"], job.project_id, attrs)
    if source["kind"] == "table":
        return _table(job, source["table"], written=False)
    digest = hashlib.sha256(source["query"].encode()).hexdigest()
    title = f"query of {source['connection']}"
    return NodeSpec(
        NodeKind.DATASET, _place(job), f"query {digest[:16]}", digest, job.project_id, {"title": title, **source}
    )


def _table(job: BatchJob, name: str, *, written: bool) -> NodeSpec:
    # What a job wrote into the table that it read is another version of it, or lineage would go in a circle.
    is_own = written and job.source.get("table") == name
    attrs = {"title": name, "connection": job.source["connection"]}
    return NodeSpec(NodeKind.DATASET, _place(job), name, str(job.pk) if is_own else "", job.project_id, attrs)


def _place(job: BatchJob) -> str:
    config = job.connection.config if job.connection is not None else {}
    if job.source["kind"] == "file":
        kind = job.connection.kind if job.connection is not None else "?"
        if kind == "s3":
            return f"s3://{config['bucket']}/{config.get('prefix', '')}".rstrip("/")
        return str(config.get("url") or f"file://{config.get('path', '?')}")
    return f"postgresql://{config.get('host', '?')}:{config.get('port', 5432)}/{config.get('database', '?')}"
