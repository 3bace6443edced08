"""What an endpoint takes: the columns of its version, or of the graph that it serves, and an example of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from models.endpoints.models import Deployment
from models.gateway.graphs.feeding import request_specs
from models.gateway.graphs.parsing import parse
from models.gateway.signature import compile_signature
from models.registry.mlmodel import served_signature
from models.registry.models import ModelVersion


class Taken(NamedTuple):
    """`signature` is as the gateway checks it, None where any columns will do. `version` is the one whose fields these
    are; of a graph the first that is asked."""

    signature: dict[str, Any] | None
    example: dict[str, Any] | None
    version: ModelVersion
    is_graph: bool = False


def taken_by(deployment: Deployment) -> Taken | None:
    """What requests must hold for it; None where it serves nothing."""
    targets = list(deployment.targets.all())
    if deployment.graph:
        return _taken_by_graph(deployment, {str(target.model_version_id): target.model_version for target in targets})
    found = sorted(targets, key=lambda target: -target.weight)
    return of_version(found[0].model_version) if found else None


def of_version(version: ModelVersion) -> Taken:
    """What the version takes."""
    return Taken(served_signature(version.signature), version.example, version)


def _taken_by_graph(deployment: Deployment, versions: dict[str, ModelVersion]) -> Taken | None:
    graph = parse(str((deployment.graph or {}).get("name", "")), deployment.graph)
    asked = [node for node in graph.asked() if node.version_id in versions]
    if not asked:
        return None
    signatures = {node.name: compile_signature(served_signature(versions[node.version_id].signature)) for node in asked}
    specs = request_specs(graph, signatures)
    example: dict[str, Any] = {}
    for node in graph.takers():
        example |= versions[node.version_id].example or {}
    return Taken(specs if specs["inputs"] else None, example or None, versions[asked[0].version_id], is_graph=True)
