"""An inference graph as SVG, drawn on the server, and the same as rows of a table for people who cannot see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lineage.layout import Place, place
from models.endpoints.models import Deployment
from models.gateway.choices import OneOf
from models.gateway.graphs.graph import REQUEST, Aim, Condition, Goal, Graph, Node
from models.gateway.graphs.parsing import parse

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 190, 52, 70, 18, 12
LETTERS = 24
OUTPUT = "answer"
_WORDS = {"below": "<", "above": ">", "at_most": "≤", "at_least": "≥", "equals": "=", "one_of": "one of"}
_STYLES = {"transformer": "run", "model": "model_version", "router": "deployment", "combiner": "endpoint"}

LinkOf = Callable[[str], str | None]


class Way(NamedTuple):
    """One line of the drawing: from where, when, and to where. `is_data` where only an output goes along it."""

    source: str
    when: str
    target: str
    is_data: bool = False


class GraphDrawing(NamedTuple):
    """What a page shows."""

    svg: SafeString
    ways: tuple[Way, ...]


class _Box(NamedTuple):
    title: str
    word: str
    style: str
    link: str | None
    is_marked: bool


def no_link(_node: str) -> str | None:
    """Link to nothing."""
    return None


def draw(graph: Graph, *, link_of: LinkOf = no_link, visited: Collection[str] = ()) -> GraphDrawing:
    """Draw the graph; `link_of` gives a node's page, the nodes `visited` are marked."""
    ways = tuple(_ways(graph))
    boxes = {REQUEST: _Box("records", "Request", "dataset", None, bool(visited))}
    for node in graph.in_order():
        boxes[node.name] = _Box(node.name, _word(node), _STYLES[node.kind], link_of(node.name), node.name in visited)
    for way in ways:
        if way.target not in boxes:
            boxes[way.target] = _Box(way.target.removeprefix(f"{OUTPUT} "), "Answer", "dataset", None, False)
    return GraphDrawing(_svg(graph.name, boxes, ways), ways)


def drawing_of_prediction(deployment_id: UUID, steps: Any) -> GraphDrawing | None:
    """The graph of the deployment with the nodes marked that a prediction's record tells of; None where it has none.
    The caller may see the prediction."""
    found = Deployment.objects.filter(pk=deployment_id).exclude(graph=None).first() if steps else None
    if found is None or not found.graph:
        return None
    return draw(parse(str(found.graph.get("name", "")), found.graph), visited={str(step["node"]) for step in steps})


def told(condition: Condition) -> str:
    """A condition in words."""
    what = {
        "column": f"{condition.of}.{condition.name}",
        "value": condition.of,
        "probability": f"P({condition.name}) of {condition.of}",
        "confidence": f"confidence of {condition.of}",
    }[condition.what]
    return " and ".join(f"{what} {_test(*test)}" for test in condition.tests)


def _test(name: str, operand: Any) -> str:
    if name == "missing":
        return "is missing" if operand else "is there"
    return f"{_WORDS[name]} {_short(list(operand.values) if isinstance(operand, OneOf) else operand)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _word(node: Node) -> str:
    if node.is_asked:
        return f"{node.kind.capitalize()} · {node.model} {node.version or 'newest'}"
    return f"Combiner · {node.method}" if node.method else "Router"


def _ways(graph: Graph) -> list[Way]:
    found = [Way(REQUEST, "", graph.start)]
    for node in graph.in_order():
        flows = [way for way in _flows(node) if way not in found]
        found += flows
        led = {way.source for way in found if way.target == node.name}
        data = [source for source in node.sources if source not in led]
        found += [Way(source, "its records" if source == REQUEST else "its output", node.name, True) for source in data]
    return found


def _flows(node: Node) -> list[Way]:
    found = [
        Way(node.name, " and ".join(told(condition) for condition in case.when), _target(case.then))
        for case in node.cases
    ]
    found.append(Way(node.name, "otherwise" if node.cases else "", _target(node.then)))
    if node.if_failed is not None and not node.skips:
        found.append(Way(node.name, "if it fails", _target(node.if_failed)))
    return found


def _target(goal: Goal) -> str:
    if goal.aim is Aim.NODE:
        return goal.node
    return f"{OUTPUT} {goal.node if goal.aim is Aim.OUTPUT else _short(goal.value)}"


def _svg(name: str, boxes: dict[str, _Box], ways: tuple[Way, ...]) -> SafeString:
    ids = {title: uuid5(NAMESPACE_OID, title) for title in boxes}
    places = place(ids.values(), [(ids[way.source], ids[way.target]) for way in ways])
    corners = {title: _corner(places[id_], places) for title, id_ in ids.items()}
    width = max(x for x, _ in corners.values()) + WIDTH + MARGIN
    height = max(y for _, y in corners.values()) + HEIGHT + MARGIN
    return format_html(
        '<svg class="lineage-graph" role="group" aria-label="The graph {}; the table below says the same" '
        'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}">'
        '<defs><marker id="graph-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>{}{}</svg>',
        name,
        width,
        height,
        width,
        height,
        format_html_join("", "{}", ((_line(way, corners),) for way in ways)),
        format_html_join("", "{}", ((_box(box, corners[title]),) for title, box in boxes.items())),
    )


def _corner(spot: Place, places: dict[UUID, Place]) -> tuple[int, int]:
    first = min(other.layer for other in places.values())
    return MARGIN + (spot.layer - first) * (WIDTH + GAP_X), round(MARGIN + spot.row * (HEIGHT + GAP_Y))


def _line(way: Way, corners: dict[str, tuple[int, int]]) -> SafeString:
    (x1, y1), (x2, y2) = corners[way.source], corners[way.target]
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
    bend = max(GAP_X // 2, (x2 - x1) // 2)
    return format_html(
        '<path class="lineage-edge" d="{}" fill="none" stroke="currentColor" stroke-width="1.5" '
        'marker-end="url(#graph-arrow)"{}><title>{} → {}{}</title></path>',
        f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2 - 2} {y2}",
        format_html(' stroke-dasharray="{}"', "5 4") if way.is_data else "",
        way.source,
        way.target,
        f": {way.when}" if way.when else "",
    )


def _box(box: _Box, corner: tuple[int, int]) -> SafeString:
    x, y = corner
    body = format_html(
        '<g class="lineage-node lineage-{}{}"><title>{}: {}</title>'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="6" fill="none" stroke="currentColor"/>'
        '<text x="{}" y="{}" font-size="11" fill="currentColor">{}</text>'
        '<text x="{}" y="{}" font-size="13" font-weight="600" fill="currentColor">{}</text></g>',
        box.style,
        " lineage-start" if box.is_marked else "",
        box.word,
        box.title,
        x,
        y,
        WIDTH,
        HEIGHT,
        x + 10,
        y + 19,
        _cut(box.word, LETTERS + 4),
        x + 10,
        y + 38,
        _cut(box.title, LETTERS),
    )
    return format_html('<a href="{}">{}</a>', box.link, body) if box.link else body


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
