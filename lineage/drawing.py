"""A lineage graph as SVG, drawn on the server, and the same as rows of a table for people who cannot see it.

Only classes and presentation attributes: the pages' policy allows no inline style. Colours come from the style sheet by
the classes `lineage-node`, `lineage-<kind>`, `lineage-start`, `lineage-edge`, `lineage-<origin>`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lineage.kinds import NodeKind
from lineage.layout import Place, nearest, place
from lineage.models import Edge, Node
from lineage.selectors import Graph

MAX_DRAWN = 200
WIDTH, HEIGHT = 200, 52
GAP_X, GAP_Y, MARGIN = 64, 18, 12
LETTERS = 26

LinkOf = Callable[[Node], str | None]

_WORDS = {
    NodeKind.SOURCE: "Source",
    NodeKind.DATASET: "Data",
    NodeKind.FILE: "File",
    NodeKind.COMMIT: "Commit",
    NodeKind.ENVIRONMENT: "Environment",
    NodeKind.RUN: "Run",
    NodeKind.MODEL_VERSION: "Model version",
    NodeKind.DEPLOYMENT: "Deployment",
    NodeKind.ENDPOINT: "Endpoint",
    NodeKind.PREDICTIONS: "Predictions",
}


@dataclass(frozen=True)
class Row:
    """One edge in words, for the table below the drawing."""

    source: Node
    source_link: str | None
    source_word: str
    target: Node
    target_link: str | None
    target_word: str
    edge: Edge


@dataclass(frozen=True)
class Drawing:
    """What a page shows: the SVG, its table, and how much was left out."""

    svg: SafeString
    rows: tuple[Row, ...]
    drawn: int
    total: int
    truncated: bool


def word_of(kind: str) -> str:
    """A node's kind for people."""
    return _WORDS.get(kind, kind.replace("_", " ").capitalize())  # type: ignore[call-overload, no-any-return]


def no_link(_node: Node) -> str | None:
    """Link to nothing."""
    return None


def draw(graph: Graph, *, link_of: LinkOf = no_link) -> Drawing:
    """Draw the graph; `link_of` gives a node's page. Of more than MAX_DRAWN nodes, those nearest to the start."""
    shown = nearest(graph, MAX_DRAWN)
    nodes = [node for node in graph.nodes if node.id in shown]
    edges = [edge for edge in graph.edges if edge.src_id in shown and edge.dst_id in shown]
    places = place([node.id for node in nodes], [(edge.src_id, edge.dst_id) for edge in edges])
    by_id = {node.id: node for node in nodes}
    edges.sort(key=lambda e: (places[e.src_id].layer, places[e.src_id].row, places[e.dst_id].row))
    rows = tuple(_row(by_id[edge.src_id], by_id[edge.dst_id], edge, link_of) for edge in edges)
    return Drawing(
        svg=_svg(nodes, edges, places, graph.start, link_of),
        rows=rows,
        drawn=len(nodes),
        total=len(graph.nodes),
        truncated=graph.truncated or len(nodes) < len(graph.nodes),
    )


def _row(source: Node, target: Node, edge: Edge, link_of: LinkOf) -> Row:
    return Row(source, link_of(source), word_of(source.kind), target, link_of(target), word_of(target.kind), edge)


def _svg(nodes: list[Node], edges: list[Edge], places: dict[UUID, Place], start: UUID, link_of: LinkOf) -> SafeString:
    first = min((spot.layer for spot in places.values()), default=0)
    corners = {
        node_id: (MARGIN + (spot.layer - first) * (WIDTH + GAP_X), round(MARGIN + spot.row * (HEIGHT + GAP_Y)))
        for node_id, spot in places.items()
    }
    width = max((x for x, _ in corners.values()), default=0) + WIDTH + MARGIN
    height = max((y for _, y in corners.values()), default=0) + HEIGHT + MARGIN
    return format_html(
        '<svg class="lineage-graph" role="group" aria-label="Lineage of {} things; the table below says the same" '
        'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}">'
        '<defs><marker id="lineage-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>{}{}</svg>',
        len(nodes),
        width,
        height,
        width,
        height,
        format_html_join("", "{}", ((_path(edge, corners),) for edge in edges)),
        format_html_join("", "{}", ((_box(node, corners[node.id], node.id == start, link_of),) for node in nodes)),
    )


def _path(edge: Edge, corners: dict[UUID, tuple[int, int]]) -> SafeString:
    (x1, y1), (x2, y2) = corners[edge.src_id], corners[edge.dst_id]
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
    bend = max(GAP_X // 2, (x2 - x1) // 2)
    curve = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2 - 2} {y2}"
    dashes = format_html(' stroke-dasharray="{}"', "5 4") if edge.origin == "inferred" else ""
    return format_html(
        '<path class="lineage-edge lineage-{}" d="{}" fill="none" stroke="currentColor" stroke-opacity="0.45" '
        'stroke-width="1.5" marker-end="url(#lineage-arrow)"{}><title>{} ({})</title></path>',
        edge.origin,
        curve,
        dashes,
        edge.kind,
        edge.origin,
    )


def _box(node: Node, corner: tuple[int, int], is_start: bool, link_of: LinkOf) -> SafeString:
    x, y = corner
    word = word_of(node.kind)
    version = node.version_digest[:12]
    body = format_html(
        '<g class="lineage-node lineage-{}{}"><title>{} {} {}</title>'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="6" fill="none" stroke="currentColor" stroke-width="{}"/>'
        '<text x="{}" y="{}" font-size="11" fill="currentColor" fill-opacity="0.75">{}</text>'
        '<text x="{}" y="{}" font-size="13" font-weight="600" fill="currentColor">{}</text></g>',
        node.kind,
        " lineage-start" if is_start else "",
        word,
        node.title,
        node.version_digest,
        x,
        y,
        WIDTH,
        HEIGHT,
        2.5 if is_start else 1,
        x + 10,
        y + 19,
        f"{word} · {version}" if version else word,
        x + 10,
        y + 38,
        _shortened(node.title),
    )
    link = link_of(node)
    return format_html('<a href="{}">{}</a>', link, body) if link else body


def _shortened(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[:11]}…{name[-14:]}"
