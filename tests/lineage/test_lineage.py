"""Nodes and edges: added once, never changed, walked only as far as a person may see."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from lineage import selectors
from lineage.kinds import EdgeKind, NodeKind
from lineage.models import Edge, Node
from lineage.services import EdgeSpec, NodeSpec, add
from modelwright.core.errors import NotFound
from modelwright.core.ids import new_id

pytestmark = pytest.mark.django_db

MINE, THEIRS = new_id(), new_id()


def spec(name: str, kind: str = NodeKind.DATASET, project: UUID | None = MINE, digest: str = "1") -> NodeSpec:
    return NodeSpec(kind, "test", name, digest, project, {"title": name})


def chain(*specs: NodeSpec) -> dict[NodeSpec, UUID]:
    return add(edges=[EdgeSpec(a, b, EdgeKind.READ) for a, b in pairwise(specs)])


def names(graph: selectors.Graph) -> set[str]:
    return {node.name for node in graph.nodes}


def test_adding_twice_changes_nothing() -> None:
    data, run = spec("churn.csv"), spec("train", NodeKind.RUN)
    first = add([data], [EdgeSpec(data, run, EdgeKind.READ, origin="observed")])
    second = add([data], [EdgeSpec(data, run, EdgeKind.READ, origin="declared")])
    assert first == second
    assert Node.objects.count() == 2
    assert Edge.objects.get().origin == "observed"


def test_the_same_name_without_a_project_is_one_node() -> None:
    public = spec("public.csv", project=None)
    assert add([public]) == add([public])
    assert Node.objects.count() == 1


def test_versions_and_projects_make_different_nodes() -> None:
    add([spec("a", digest="1"), spec("a", digest="2"), spec("a", project=THEIRS), spec("a", project=None)])
    assert Node.objects.count() == 4


def test_an_edge_to_itself_is_left_out() -> None:
    assert add(edges=[EdgeSpec(spec("a"), spec("a"), EdgeKind.READ)]) == {}
    assert not Edge.objects.exists()


@pytest.mark.parametrize("table", [Node, Edge])
@pytest.mark.parametrize("change", ["update", "delete"])
def test_rows_cannot_be_changed_or_removed(table: type[Node] | type[Edge], change: str) -> None:
    chain(spec("a"), spec("b"))
    rows = table.objects.all()
    # Without the look at what depends on them, which would refuse before the trigger does.
    act = partial(rows._raw_delete, rows.db) if change == "delete" else partial(rows.update, kind="other")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        act()


def test_ancestors_descendants_and_both() -> None:
    source, data, run, model = (spec(name) for name in ("source", "data", "run", "model"))
    ids = chain(source, data, run, model)
    other = chain(data, spec("other run"))
    assert names(selectors.ancestors(ids[run], visible_projects={MINE})) == {"source", "data", "run"}
    assert names(selectors.descendants(ids[run], visible_projects={MINE})) == {"run", "model"}
    around = selectors.around(ids[run], visible_projects={MINE})
    assert names(around) == {"source", "data", "run", "model"}
    assert len(around.edges) == 3
    assert other


def test_a_walk_ends_before_projects_that_one_may_not_see() -> None:
    public, theirs, mine = spec("public", project=None), spec("secret", project=THEIRS), spec("mine")
    ids = chain(public, theirs, mine)
    assert names(selectors.ancestors(ids[mine], visible_projects={MINE})) == {"mine"}
    assert names(selectors.ancestors(ids[mine], visible_projects={MINE, THEIRS})) == {"public", "secret", "mine"}
    assert names(selectors.descendants(ids[public], visible_projects={MINE})) == {"public"}


def test_nodes_of_hidden_projects_are_not_found() -> None:
    ids = add([spec("secret", project=THEIRS)])
    node_id = next(iter(ids.values()))
    with pytest.raises(NotFound):
        selectors.get_node(node_id, visible_projects={MINE})
    assert selectors.get_node(node_id, visible_projects={THEIRS}).name == "secret"


def test_a_circle_ends() -> None:
    ids = chain(spec("a"), spec("b"), spec("c"), spec("a"))
    assert names(selectors.ancestors(ids[spec("a")], visible_projects={MINE})) == {"a", "b", "c"}


def test_a_cut_graph_says_so() -> None:
    specs = [spec(f"n{i}") for i in range(30)]
    ids = chain(*specs)
    graph = selectors.descendants(ids[specs[0]], visible_projects={MINE}, limit=10)
    assert graph.truncated
    assert len(graph.nodes) == 10
    assert not selectors.descendants(ids[specs[0]], visible_projects={MINE}, limit=30).truncated


def test_a_long_chain_is_walked_by_looking_at_a_few_pages_for_each_step() -> None:
    """Pages of the database, and not seconds: those depend on what else the machine does."""
    specs = [spec(f"n{i}") for i in range(2000)]
    ids = chain(*specs)
    start = ids[specs[-1]]
    assert len(selectors.ancestors(start, visible_projects={MINE}).nodes) == 2000
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(selectors._BY_INDEX.format(value="off"))
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + selectors._WALK.format(to="src_id", by="dst_id"),
            {"start": start, "visible": [MINE], "limit": 5000},
        )
        plan = cursor.fetchone()[0][0]["Plan"]
    assert plan["Actual Rows"] == 2000
    # Six; where a step reads a table whole, over fifty.
    assert (plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]) / 2000 < 15


@pytest.mark.parametrize("statistics", ["of empty tables", "of a small project"])
@pytest.mark.parametrize(("to", "by"), [("src_id", "dst_id"), ("dst_id", "src_id")])
def test_each_step_looks_up_one_key_whatever_the_planner_believes(statistics: str, to: str, by: str) -> None:
    if statistics == "of a small project":
        chain(*[spec(f"early{i}") for i in range(3)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE lineage_node")
        cursor.execute("ANALYZE lineage_edge")
        ids = chain(*[spec(f"n{i}") for i in range(300)])
        cursor.execute(selectors._BY_INDEX.format(value="off"))
        start = next(iter(ids.values()))
        cursor.execute(
            "EXPLAIN " + selectors._WALK.format(to=to, by=by), {"start": start, "visible": [MINE], "limit": 10}
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "lineage_node_pkey" in plan
    assert "lineage_node_project" not in plan
    assert f"Index Cond: ({by} = walk_1.id)" in plan
