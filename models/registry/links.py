"""Pages of lineage nodes."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse

from lineage.kinds import NodeKind
from lineage.models import Node

_ROUTES = {
    NodeKind.RUN: "run",
    NodeKind.MODEL_VERSION: "model-version",
    NodeKind.ENDPOINT: "endpoint",
    NodeKind.ENVIRONMENT: "environment",
}


def link_of(node: Node) -> str:
    """The page of what the node stands for, else the node's own."""
    thing = node.attrs.get("id")
    try:
        if node.kind == NodeKind.COMMIT and node.project_id and thing:
            return reverse("project-commit", args=[node.project_id, thing])
        if node.kind == NodeKind.PREDICTIONS and thing and node.attrs.get("batch"):
            return reverse("batch-job", args=[thing])
        route = _ROUTES.get(node.kind)  # type: ignore[call-overload]  # a kind may be an imported word
        if route and thing:
            return reverse(route, args=[thing])
    except NoReverseMatch:
        pass
    return reverse("lineage-node", args=[node.pk])
