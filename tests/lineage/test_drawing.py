"""The drawing: every edge to the right, every node in the table, nothing that the policy forbids."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from uuid import UUID

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from lineage import selectors
from lineage.drawing import MAX_DRAWN, draw
from lineage.kinds import EdgeKind, NodeKind
from lineage.layout import place
from lineage.services import EdgeSpec, NodeSpec, add
from modelwright.core.ids import new_id

PROJECT = new_id()


def node(name: str, kind: str = NodeKind.DATASET) -> NodeSpec:
    return NodeSpec(kind, "test", name, "abc", PROJECT)


def graph_around(start: NodeSpec, *edges: tuple[NodeSpec, NodeSpec]) -> selectors.Graph:
    ids = add([start], [EdgeSpec(a, b, EdgeKind.READ) for a, b in edges])
    return selectors.around(ids[start], visible_projects={PROJECT})


@pytest.mark.django_db
def test_it_is_well_formed_with_links_and_without_inline_style() -> None:
    data, run, model = node("churn <&> data"), node("train", NodeKind.RUN), node("churn 1", NodeKind.MODEL_VERSION)
    drawing = draw(graph_around(run, (data, run), (run, model)), link_of=lambda n: f"/n/{n.id}/")
    root = ET.fromstring(drawing.svg)
    assert len(root.findall(".//{http://www.w3.org/2000/svg}a")) == 3
    assert "style" not in drawing.svg
    assert "churn &lt;&amp;&gt; data" in drawing.svg
    assert [(row.source.name, row.target.name) for row in drawing.rows] == [
        ("churn <&> data", "train"),
        ("train", "churn 1"),
    ]
    page = render_to_string("lineage/graph.html", {"drawing": drawing})
    assert "The same as a table" in page
    assert "Model version" in page


@pytest.mark.django_db
def test_a_large_graph_is_cut_to_the_nearest_and_says_so() -> None:
    start = node("start")
    drawing = draw(graph_around(start, *[(start, node(f"n{i}")) for i in range(MAX_DRAWN + 50)]))
    assert (drawing.drawn, drawing.total, drawing.truncated) == (MAX_DRAWN, MAX_DRAWN + 51, True)
    assert "200 of 251" in render_to_string("lineage/graph.html", {"drawing": drawing})


@pytest.mark.django_db
def test_a_node_alone_says_that_nothing_is_known() -> None:
    page = render_to_string("lineage/graph.html", {"drawing": draw(graph_around(node("alone")))})
    assert "Nothing is recorded yet" in page


IDS = [UUID(int=i) for i in range(12)]


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40))
def test_every_edge_leads_right_and_no_two_nodes_share_a_place(pairs: list[tuple[int, int]]) -> None:
    acyclic = [(IDS[a], IDS[b]) for a, b in pairs if a < b]
    places = place(IDS, acyclic)
    assert all(places[a].layer < places[b].layer for a, b in acyclic)
    assert len(set(places.values())) == len(IDS)


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40))
def test_circles_are_drawn_too(pairs: list[tuple[int, int]]) -> None:
    places = place(IDS, [(IDS[a], IDS[b]) for a, b in pairs])
    assert len(set(places.values())) == len(IDS)
