"""Deploying an inference graph: read from the project's file at a commit, each node given a version, checked whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.endpoints import services
from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.gateway.graphs.feeding import misfits
from models.gateway.graphs.graph import Graph, GraphError, Node, Problem
from models.gateway.graphs.parsing import parse
from models.gateway.signature import compile_signature
from models.registry.mlmodel import served_signature
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import FieldError, NotFound, PlatformError, ValidationFailed
from projects import source
from projects.manifest import MANIFEST_NAME, read_manifest
from projects.models import Project
from projects.selectors import authorize


@dataclass(frozen=True, slots=True)
class Resolved:
    """A graph whose nodes have versions. `data` is what a deployment keeps of it; `versions` are by node."""

    graph: Graph
    data: dict[str, Any]
    versions: Mapping[str, ModelVersion]
    commit: str

    def targets(self) -> list[TargetRequest]:
        """Each version once."""
        found = {version.pk: version for version in self.versions.values()}
        return [TargetRequest(version, 0, DeploymentTarget.Role.NODE) for version in found.values()]


@dataclass(frozen=True, slots=True)
class Declared:
    """A graph of the project's file: resolved, or what keeps it from being so."""

    name: str
    resolved: Resolved | None
    error: PlatformError | None


def declared(project: Project) -> list[Declared]:
    """The graphs of the project's newest commit. The caller may see the project."""
    try:
        commit = source.check_commit(project, None)
        graphs = read_manifest(project, commit).graphs
    except NotFound:
        return []
    found = []
    for name in graphs:
        try:
            found.append(Declared(name, _resolve(project, name, graphs[name], commit, {}), None))
        except PlatformError as error:
            found.append(Declared(name, None, error))
    return found


def resolve(
    project: Project, name: str, *, commit: str | None = None, versions: Mapping[str, int] | None = None
) -> Resolved:
    """The graph called so, of a commit of the project, the newest by default. `versions` gives numbers of versions by
    node; others have the one that the file names, else the newest that is ready.

    Raises NotFound without such a graph, ValidationFailed, whose `errors` name each mistake, for one that is none.
    """
    commit = source.check_commit(project, commit)
    graphs = read_manifest(project, commit).graphs
    if name not in graphs:
        raise NotFound(
            f"{MANIFEST_NAME} declares no graph called {name!r} at commit {commit[:10]}.",
            remedy=f"It declares {', '.join(graphs) or 'none'}.",
        )
    return _resolve(project, name, graphs[name], commit, versions or {})


def deploy_graph(
    endpoint: Endpoint,
    *,
    name: str,
    commit: str | None = None,
    versions: Mapping[str, int] | None = None,
    fallback: Mapping[str, Any] | None = None,
    reason: str = "",
    acting_user: Actor,
) -> Deployment:
    """Ask for the graph to be served (see `resolve`); what serves now goes on until all of its versions are ready.

    Raises PermissionRefused and Conflict besides, as `services.request_deployment` does.
    """
    # Before what the project's file says is told.
    authorize(acting_user, Permission.ENDPOINT_DEPLOY, endpoint.project)
    resolved = resolve(endpoint.project, name, commit=commit, versions=versions)
    return services.request_deployment(
        endpoint,
        targets=resolved.targets(),
        graph=resolved.data,
        fallback=fallback,
        evidence={"graph": {"name": name, "commit": resolved.commit}},
        reason=reason,
        acting_user=acting_user,
    )


def _resolve(project: Project, name: str, given: Any, commit: str, numbers: Mapping[str, int]) -> Resolved:
    where = f"graphs.{name}"
    try:
        graph = parse(name, given)
    except GraphError as error:
        raise _refused(name, where, error.problems) from None
    unknown = [node for node in numbers if node not in graph.nodes or not graph.nodes[node].is_asked]
    if unknown:
        raise ValidationFailed(
            f"The graph {name} has no node {unknown[0]!r} that asks a model.",
            remedy=f"It has {', '.join(node.name for node in graph.asked())}.",
            field="versions",
        )
    found = {node.name: _version(project, node, numbers.get(node.name, node.version)) for node in graph.asked()}
    missing = [version for version in found.values() if isinstance(version, Problem)]
    if missing:
        raise _refused(name, where, missing)
    versions = {node: version for node, version in found.items() if isinstance(version, ModelVersion)}
    signatures = {node: compile_signature(served_signature(version.signature)) for node, version in versions.items()}
    unfit = misfits(graph, signatures)
    if unfit:
        raise _refused(name, where, unfit)
    return Resolved(graph, _data(name, given, versions), versions, commit)


def _version(project: Project, node: Node, number: int) -> ModelVersion | Problem:
    """The version with that number, 0 for the newest that is ready; what is wrong where there is none."""
    known = ModelVersion.objects.filter(model__project=project, model__name=node.model).select_related("model")
    wanted = known.filter(number=number) if number else known.filter(state="ready").order_by("-number")
    found = wanted.first()
    if found is not None:
        return found
    what = f"version {number}" if number else "version that is ready"
    return Problem(
        f"nodes.{node.name}.model",
        f"The project has no {what} of a model {node.model!r}.",
        "Register one from a run, or correct the name.",
    )


def _data(name: str, given: Any, versions: Mapping[str, ModelVersion]) -> dict[str, Any]:
    nodes = dict(given["nodes"])
    for node, version in versions.items():
        nodes[node] = {**nodes[node], "version": version.number, "model_version_id": str(version.pk)}
    return {**given, "name": name, "nodes": nodes}


def _refused(name: str, where: str, problems: list[Problem]) -> ValidationFailed:
    errors = tuple(FieldError(f"{where}.{each.field}".strip("."), each.message, each.remedy) for each in problems)
    return ValidationFailed(
        f"The graph {name} cannot be used. " + " ".join(f"`{each.field}`: {each.message}" for each in errors),
        remedy=errors[0].remedy if len(errors) == 1 else "Correct the entries named in `errors`.",
        errors=errors,
    )
