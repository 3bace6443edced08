"""Places for the nodes of a graph: layers from left to right in the direction of data."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from lineage.selectors import Graph

SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: its layer from the left and its row from the top, both from 0."""

    layer: int
    row: float


def nearest(graph: Graph, count: int) -> set[UUID]:
    """The `count` nodes that are fewest edges away from the graph's start."""
    neighbours: dict[UUID, list[UUID]] = defaultdict(list)
    for edge in graph.edges:
        neighbours[edge.src_id].append(edge.dst_id)
        neighbours[edge.dst_id].append(edge.src_id)
    seen, waiting = {graph.start}, deque([graph.start])
    while waiting and len(seen) < count:
        for neighbour in neighbours[waiting.popleft()]:
            if neighbour not in seen and len(seen) < count:
                seen.add(neighbour)
                waiting.append(neighbour)
    return seen


def place(nodes: Iterable[UUID], edges: Iterable[tuple[UUID, UUID]]) -> dict[UUID, Place]:
    """A layer and a row for each node. Every edge leads to a later layer, but for those that would close a circle."""
    ids = list(nodes)
    pairs = _without_circles(ids, [(a, b) for a, b in edges if a != b])
    layers = _layers(ids, pairs)
    columns: dict[int, list[UUID]] = defaultdict(list)
    for node in ids:
        columns[layers[node]].append(node)
    _untangle(columns, pairs)
    tallest = max((len(column) for column in columns.values()), default=0)
    return {
        node: Place(layer, row + (tallest - len(column)) / 2)
        for layer, column in columns.items()
        for row, node in enumerate(column)
    }


def _without_circles(ids: list[UUID], edges: list[tuple[UUID, UUID]]) -> list[tuple[UUID, UUID]]:
    following: dict[UUID, list[UUID]] = defaultdict(list)
    for source, target in edges:
        following[source].append(target)
    kept: list[tuple[UUID, UUID]] = []
    done: set[UUID] = set()
    for root in ids:
        path: set[UUID] = set()
        stack: list[tuple[UUID, int]] = [(root, 0)] if root not in done else []
        while stack:
            node, index = stack.pop()
            path.add(node)
            if index == len(following[node]):
                path.discard(node)
                done.add(node)
                continue
            stack.append((node, index + 1))
            target = following[node][index]
            if target in path:
                continue
            kept.append((node, target))
            if target not in done:
                stack.append((target, 0))
    return kept


def _layers(ids: list[UUID], edges: list[tuple[UUID, UUID]]) -> dict[UUID, int]:
    following: dict[UUID, list[UUID]] = defaultdict(list)
    missing: dict[UUID, int] = dict.fromkeys(ids, 0)
    for source, target in edges:
        following[source].append(target)
        missing[target] += 1
    layers: dict[UUID, int] = dict.fromkeys(ids, 0)
    ready = deque(node for node in ids if missing[node] == 0)
    while ready:
        node = ready.popleft()
        for target in following[node]:
            layers[target] = max(layers[target], layers[node] + 1)
            missing[target] -= 1
            if missing[target] == 0:
                ready.append(target)
    # A node without anything before it stands next to what first uses it, not at the far left.
    sources = {node for node in ids if following[node]} - {target for _, target in edges}
    for node in sources:
        layers[node] = min(layers[target] for target in following[node]) - 1
    return layers


def _untangle(columns: Mapping[int, list[UUID]], edges: list[tuple[UUID, UUID]]) -> None:
    before: dict[UUID, list[UUID]] = defaultdict(list)
    after: dict[UUID, list[UUID]] = defaultdict(list)
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
    rows = {node: float(row) for column in columns.values() for row, node in enumerate(column)}

    def centre(node: UUID, neighbours: dict[UUID, list[UUID]]) -> float:
        near = neighbours[node]
        return sum(rows[other] for other in near) / len(near) if near else rows[node]

    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for layer in sorted(columns, reverse=not forward):
            neighbours = before if forward else after
            columns[layer].sort(key=lambda node: centre(node, neighbours))
            rows.update({node: float(row) for row, node in enumerate(columns[layer])})
