"""The one way to add lineage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from lineage.models import Edge, Node

Identity = tuple[str, UUID | None, str, str, str]


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node to add, known by everything but its `attrs`. `kind` is one of `kinds.NodeKind` or an imported word.

    `namespace` says where the name is from, such as `file` or `postgresql://host:5432/shop`; `version_digest` names
    the version, empty where there is only one.
    """

    kind: str
    namespace: str
    name: str
    version_digest: str = ""
    project_id: UUID | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def identity(self) -> Identity:
        """What makes it this node and no other."""
        return (self.kind, self.project_id, self.namespace, self.name, self.version_digest)


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """An edge to add, in the direction of data. `kind` as `kinds.EdgeKind`, `origin` as `kinds.Origin`."""

    src: NodeSpec
    dst: NodeSpec
    kind: str
    run_id: UUID | None = None
    origin: str = "declared"


@transaction.atomic
def add(nodes: Iterable[NodeSpec] = (), edges: Iterable[EdgeSpec] = ()) -> dict[NodeSpec, UUID]:
    """Add what is not there yet and return the ids of all nodes named, those of the edges too.

    Adding something twice is harmless and changes nothing. Call it in the transaction of the change that it records,
    whose audit row says who acted: lineage takes no actor of its own. An edge from a node to itself is left out.
    """
    edges = [edge for edge in edges if edge.src.identity != edge.dst.identity]
    wanted = {spec.identity: spec for spec in nodes}
    for edge in edges:
        wanted.setdefault(edge.src.identity, edge.src)
        wanted.setdefault(edge.dst.identity, edge.dst)
    # In one order everywhere, so that two transactions that add the same nodes cannot wait for each other.
    specs = [wanted[identity] for identity in sorted(wanted, key=str)]
    Node.objects.bulk_create([_row(spec) for spec in specs], ignore_conflicts=True, batch_size=1000)
    ids = _ids(specs)
    rows = [
        Edge(src_id=ids[e.src.identity], dst_id=ids[e.dst.identity], kind=e.kind, run_id=e.run_id, origin=e.origin)
        for e in edges
    ]
    rows.sort(key=lambda row: (str(row.src_id), str(row.dst_id)))
    Edge.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    return {spec: ids[spec.identity] for spec in specs}


def _row(spec: NodeSpec) -> Node:
    return Node(
        kind=spec.kind,
        project_id=spec.project_id,
        namespace=spec.namespace[:255],
        name=spec.name[:500],
        version_digest=spec.version_digest,
        attrs=dict(spec.attrs),
    )


def _ids(specs: list[NodeSpec]) -> dict[Identity, UUID]:
    ids: dict[Identity, UUID] = {}
    for start in range(0, len(specs), 500):
        part = specs[start : start + 500]
        condition = Q()
        for spec in part:
            condition |= Q(
                kind=spec.kind,
                project_id=spec.project_id,
                namespace=spec.namespace[:255],
                name=spec.name[:500],
                version_digest=spec.version_digest,
            )
        found = {
            (row.kind, row.project_id, row.namespace, row.name, row.version_digest): row.id
            for row in Node.objects.filter(condition)
        }
        for spec in part:
            kind, project_id, namespace, name, digest = spec.identity
            ids[spec.identity] = found[(kind, project_id, namespace[:255], name[:500], digest)]
    return ids
