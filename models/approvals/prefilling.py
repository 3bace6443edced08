"""What the platform knows of a version, as first drafts of its card's sections."""

from __future__ import annotations

from lineage import names
from lineage import selectors as lineage
from lineage.kinds import NodeKind
from models.registry.models import ModelVersion
from modelwright.core.errors import PlatformError
from projects.manifest import Report, read_manifest

MOST_DATASETS, MOST_VALUES = 20, 40


def drafts(version: ModelVersion) -> dict[str, str]:
    """Markdown for the sections of which something is known. A draft counts as a text once a person has saved it."""
    report = _report(version)
    found = {
        "limits": report.limits,
        "data": _data(version),
        "evaluation": _evaluation(version, report.fit),
        "algorithm": _algorithm(version, report.algorithm),
    }
    return {key: text for key, text in found.items() if text.strip()}


def _report(version: ModelVersion) -> Report:
    try:
        return read_manifest(version.model.project).report
    except PlatformError:
        return Report()  # A project without a file, or with a wrong one: there is nothing to draft from.


def _data(version: ModelVersion) -> str:
    project_id = version.model.project_id
    node = names.model_version(project_id, version.pk, str(version), version.manifest_digest)
    found = lineage.find(node.kind, node.namespace, node.name, node.version_digest, project_id=project_id)
    if found is None:
        return ""
    graph = lineage.ancestors(found.pk, visible_projects={project_id})
    data = [each for each in graph.nodes if each.kind in (NodeKind.DATASET, NodeKind.FILE)]
    lines = [f"- {each.title}" + (f" (`{each.version_digest[:12]}`)" if each.version_digest else "") for each in data]
    more = [f"- and {len(lines) - MOST_DATASETS} more"] if len(lines) > MOST_DATASETS else []
    return (
        "\n".join(["Read by the run that made it, or by those before:", "", *lines[:MOST_DATASETS], *more])
        if lines
        else ""
    )


def _evaluation(version: ModelVersion, fit: str) -> str:
    known = {name: value for name, value in version.metrics.items() if value is not None}
    lines = [f"- {name}: {value:.6g}" for name, value in list(known.items())[:MOST_VALUES]]
    logged = "\n".join(["Logged by its run:", "", *lines]) if lines else ""
    return "\n\n".join(part for part in (fit, logged) if part)


def _algorithm(version: ModelVersion, said: str) -> str:
    lines = [f"- {name}: {value}" for name, value in list(version.parameters.items())[:MOST_VALUES]]
    parameters = "\n".join(["Parameters of its run:", "", *lines]) if lines else ""
    return "\n\n".join(part for part in (said or version.algorithm_name, parameters) if part)
