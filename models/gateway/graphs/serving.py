"""The graph of a deployment as a gateway serves it: each node has its target, and the whole looks like one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from models.gateway.graphs.feeding import columns_of, request_signature
from models.gateway.graphs.graph import Graph
from models.gateway.graphs.parsing import parse

if TYPE_CHECKING:
    from models.gateway.routes import Target

# Stands where a target has its replicas; a graph has none of its own.
NO_SOCKETS = ("graph",)
WEIGHT = 100


class Served(NamedTuple):
    """A graph with the target and the columns of each node that is asked."""

    graph: Graph
    targets: Mapping[str, Target]
    columns: Mapping[str, tuple[str, ...] | None]


def face(name: str, number: int, data: Mapping[str, Any], targets: Sequence[Target]) -> Target:
    """The target that a client meets: the graph's own, called as the endpoint, its version the deployment's number. It
    takes what the graph takes. On record stands the version of the first node that is asked. Raises ValueError."""
    graph = parse(str(data.get("name") or name), data)
    by_id = {target.model_version_id: target for target in targets}
    by_node: dict[str, Target] = {}
    for node in graph.asked():
        target = by_id.get(node.version_id)
        if target is None:
            raise ValueError(f"node {node.name} has no version among the targets")
        by_node[node.name] = target
    if not by_node:
        raise ValueError("no node asks a model")
    signatures = {name: target.signature for name, target in by_node.items()}
    columns = {name: columns_of(signature) for name, signature in signatures.items()}
    first = next(iter(by_node.values()))
    return first._replace(
        model=name,
        version=number,
        weight=WEIGHT,
        signature=request_signature(graph, signatures),
        sockets=NO_SOCKETS,
        served_by=served_by(data),
        example=_example(graph, by_node),
        role="live",
        graph=Served(graph, by_node, columns),
    )


def served_by(data: Mapping[str, Any]) -> str:
    """What stands on record as that which answered: the digest of the whole graph with its versions."""
    return f"graph:{sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()}"


def _example(graph: Graph, targets: Mapping[str, Target]) -> bytes:
    """The examples of the versions that are asked about the request, as one record."""
    merged: dict[str, Any] = {}
    for node in graph.takers():
        merged |= orjson.loads(targets[node.name].example or b"{}")
    return orjson.dumps(merged) if merged else b""
