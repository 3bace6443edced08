"""Ancestors and descendants, as far as the asking person may see.

This room stands below projects, so its callers say which projects the person may see.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from lineage.models import Edge, Node
from modelwright.core.errors import NotFound

MAX_NODES = 5000

# UNION on the id alone: with a depth or a path in it the query would not end on long chains. OFFSET 0 keeps the planner
# from moving conditions between the subqueries: each looks up one key. Otherwise it may take, for each step, every node
# of the project instead of the one that the edge names, which is quadratic and took minutes for a chain of 2,000.
_WALK = """
WITH RECURSIVE walk(id) AS (
    SELECT %(start)s::uuid
  UNION
    SELECT edge.id
      FROM walk
      CROSS JOIN LATERAL (SELECT {to} AS id FROM lineage_edge WHERE {by} = walk.id OFFSET 0) edge
      CROSS JOIN LATERAL (SELECT project_id FROM lineage_node WHERE lineage_node.id = edge.id OFFSET 0) node
     WHERE node.project_id IS NULL OR node.project_id = ANY(%(visible)s)
) SELECT id FROM walk LIMIT %(limit)s
"""

# Each step is one look into an index. Before the tables are first analysed, the planner reads them whole at each step,
# which takes seconds for a chain of 2,000.
_BY_INDEX = (
    "SET LOCAL enable_seqscan = {value}; SET LOCAL enable_hashjoin = {value}; SET LOCAL enable_mergejoin = {value}"
)


@dataclass(frozen=True)
class Graph:
    """Nodes and the edges between them. `truncated` says that there is more than was asked for."""

    start: UUID
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    truncated: bool = False


def find(kind: str, namespace: str, name: str, version_digest: str = "", *, project_id: UUID | None) -> Node | None:
    """The node with exactly this identity."""
    return Node.objects.filter(
        kind=kind, namespace=namespace, name=name, version_digest=version_digest, project_id=project_id
    ).first()


def visible_nodes(visible_projects: Collection[UUID]) -> QuerySet[Node]:
    """Nodes of the given projects and of none."""
    return Node.objects.filter(Q(project_id=None) | Q(project_id__in=visible_projects))


def get_node(node_id: UUID, *, visible_projects: Collection[UUID]) -> Node:
    """One node. Raises NotFound when there is none or it is not to be seen."""
    node = visible_nodes(visible_projects).filter(pk=node_id).first()
    if node is None:
        raise NotFound("There is no such lineage node.", remedy="Open it from the thing whose lineage you look at.")
    return node


def ancestors(node_id: UUID, *, visible_projects: Collection[UUID], limit: int = MAX_NODES) -> Graph:
    """Everything that the node came from, itself included."""
    ids, truncated = _walk(node_id, "src_id", "dst_id", visible_projects, limit)
    return _graph(node_id, ids, truncated)


def descendants(node_id: UUID, *, visible_projects: Collection[UUID], limit: int = MAX_NODES) -> Graph:
    """Everything that came from the node, itself included."""
    ids, truncated = _walk(node_id, "dst_id", "src_id", visible_projects, limit)
    return _graph(node_id, ids, truncated)


def around(node_id: UUID, *, visible_projects: Collection[UUID], limit: int = MAX_NODES) -> Graph:
    """Ancestors and descendants of the node in one graph."""
    up, up_cut = _walk(node_id, "src_id", "dst_id", visible_projects, limit)
    down, down_cut = _walk(node_id, "dst_id", "src_id", visible_projects, limit)
    ids = list(dict.fromkeys([*up, *down]))
    return _graph(node_id, ids[:limit], up_cut or down_cut or len(ids) > limit)


def _walk(start: UUID, to: str, by: str, visible: Collection[UUID], limit: int) -> tuple[list[UUID], bool]:
    parameters: Any = {"start": start, "visible": list(visible), "limit": limit + 1}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BY_INDEX.format(value="off"))
        cursor.execute(_WALK.format(to=to, by=by), parameters)
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(_BY_INDEX.format(value="DEFAULT"))
    return ids[:limit], len(ids) > limit


def _graph(start: UUID, ids: list[UUID], truncated: bool) -> Graph:
    nodes = tuple(Node.objects.filter(pk__in=ids).order_by("pk"))
    edges = tuple(Edge.objects.filter(src__in=ids, dst__in=ids).order_by("pk"))
    return Graph(start, nodes, edges, truncated)
