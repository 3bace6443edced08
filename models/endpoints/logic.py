"""What decides at an endpoint beside its models: a graph, a rule as fallback. In production a second person agrees to
it, and to the end of production."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.approvals import consents
from models.approvals.models import Consent
from models.endpoints.models import Deployment, Endpoint
from models.gateway.fallbacks import RULE
from modelwright.accounts.actors import Actor
from modelwright.core.errors import Conflict

Matter = tuple[str, dict[str, Any]]
Stage = Endpoint.Stage
# Of a graph's nodes, what says which version of its model a node asks: versions are approved for themselves.
_OF_VERSIONS = {"version", "model_version_id"}


def graph_logic(graph: Mapping[str, Any]) -> dict[str, Any]:
    """The graph without the versions of its models."""
    nodes = {
        name: {key: value for key, value in node.items() if key not in _OF_VERSIONS}
        for name, node in graph["nodes"].items()
    }
    return {**graph, "nodes": nodes}


def matters_of(graph: Mapping[str, Any] | None, fallback: Mapping[str, Any] | None) -> Iterator[Matter]:
    """What of a deployment a second person agrees to."""
    if graph:
        yield Consent.Kind.GRAPH, graph_logic(graph)
    if fallback and fallback.get("kind") == RULE:
        yield Consent.Kind.RULE, {"rule": fallback["rule"]}


def lowering(to: str) -> Matter:
    """That the endpoint goes from production to that stage."""
    return Consent.Kind.STAGE, {"from": str(Stage.PRODUCTION), "to": to}


def require_agreed(
    endpoint: Endpoint,
    graph: Mapping[str, Any] | None,
    fallback: Mapping[str, Any] | None,
    *,
    goes_back: bool = False,
) -> None:
    """Raise Conflict unless a second person agreed to the graph and the rule, or they have served here in production.

    Once such a consent was taken back, that they have served is enough for going back (`goes_back`) alone. The caller
    knows that the endpoint is one of production, and is in a transaction.
    """
    for kind, content in matters_of(graph, fallback):
        if not _is_agreed(endpoint, kind, content, goes_back=goes_back):
            what = "graph" if kind == Consent.Kind.GRAPH else "rule that stands in"
            raise Conflict(
                f"Nobody else has agreed to this {what}, which decides at {endpoint.name} beside its models, and "
                "the endpoint is one of production.",
                remedy=f"Ask for it at /endpoints/{endpoint.pk}/consent/; a second person gives it. Until then it can "
                "be tried at an endpoint of staging.",
                field="graph" if kind == Consent.Kind.GRAPH else "fallback",
            )


def _is_agreed(endpoint: Endpoint, kind: str, content: Mapping[str, Any], *, goes_back: bool) -> bool:
    if consents.is_given(endpoint.pk, kind, content):
        return True
    if not goes_back and consents.is_taken_back(endpoint.pk, kind, content):
        return False
    return _has_served(endpoint, kind, content)


def _has_served(endpoint: Endpoint, kind: str, content: Mapping[str, Any]) -> bool:
    wanted = consents.digest_of(content)
    served = Deployment.objects.filter(endpoint=endpoint, stage=Stage.PRODUCTION).exclude(live_at=None)
    decided = served.exclude(graph=None) if kind == Consent.Kind.GRAPH else served.filter(fallback__kind=RULE)
    for graph, fallback in decided.order_by("-number").values_list("graph", "fallback").iterator(chunk_size=50):
        if any(kind == one and wanted == consents.digest_of(other) for one, other in matters_of(graph, fallback)):
            return True
    return False


def leave_production(endpoint: Endpoint, to: str, *, acting_user: Actor) -> None:
    """Use up that a second person agreed to it. Raises Conflict where nobody did."""
    kind, content = lowering(to)
    if not consents.use(endpoint.pk, kind, content, acting_user=acting_user):
        raise Conflict(
            f"To take {endpoint.name} out of production takes a second person, because its clients stay and whatever "
            "is deployed there afterwards needs no approval.",
            remedy=f"Ask for it at /endpoints/{endpoint.pk}/consent/. To have it answer nothing, stop it instead.",
            field="stage",
        )
