"""A graph from the plain data of the project's file, or of a deployment, which names versions besides."""

from __future__ import annotations

from typing import Any

import orjson

from models.gateway.graphs import conditions
from models.gateway.graphs.checking import check
from models.gateway.graphs.fields import Fields, is_name
from models.gateway.graphs.graph import (
    COMBINER,
    KINDS,
    METHODS,
    MODEL,
    REQUEST,
    ROUTER,
    Aim,
    Case,
    Goal,
    Graph,
    GraphError,
    Node,
    Problem,
)
from models.gateway.words import describe

MAX_NODES, MAX_CASES = 40, 40
MAX_BYTES = 64 * 1024
_SKIP = Goal(Aim.SKIP)


def parse(name: str, data: Any) -> Graph:
    """The graph called `name`, checked whole: every record that enters it comes to one answer. Raises GraphError."""
    problems: list[Problem] = []
    if size := _too_long(data):
        raise GraphError([Problem("", f"It has {size:,} bytes.", f"Give it {MAX_BYTES:,} at most.")])
    fields = Fields(data, "", problems)
    fields.take("name")
    description = fields.text("description")
    start = fields.name("start")
    given = fields.inside("nodes")
    fields.finish()
    if not given.names() or len(given.names()) > MAX_NODES:
        fields.refuse("nodes", f"It has {len(given.names())} nodes.", f"Give it between 1 and {MAX_NODES}.")
    nodes: dict[str, Node] = {}
    for node_name in given.names()[:MAX_NODES]:
        if not is_name(node_name) or node_name == REQUEST:
            given.refuse(node_name[:60], "It is no name of a node.", "Use small letters, digits, `-` and `_`.")
            given.take(node_name)
        else:
            nodes[node_name] = _node(node_name, given.inside(node_name))
    graph = Graph(name, start, nodes, description)
    if not problems:
        problems += check(graph)
    if problems:
        raise GraphError(problems)
    return graph


def _too_long(data: Any) -> int:
    """How many bytes it has as JSON, where those are too many; what is no JSON is found elsewhere."""
    try:
        size = len(orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS))
    except (TypeError, ValueError, RecursionError):
        return 0
    return size if size > MAX_BYTES else 0


def _node(name: str, fields: Fields) -> Node:
    kind = fields.choice("kind", KINDS, MODEL)
    if kind == ROUTER:
        node = _router(name, fields)
    elif kind == COMBINER:
        node = _combiner(name, fields)
    else:
        node = _asked(name, kind, fields)
    fields.finish()
    return node


def _asked(name: str, kind: str, fields: Fields) -> Node:
    version = fields.take("version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        fields.refuse(
            "version", f"It is {describe(version)}, not a number of a version.", "Leave it out for the newest."
        )
        version = None
    return Node(
        name,
        kind,
        fields.list_of_names("input") or (REQUEST,),
        _goal(fields, "then", Goal(Aim.OUTPUT, name)),
        model=_model(fields),
        version=version or 0,
        version_id=fields.text("model_version_id"),
        timeout=fields.seconds("timeout"),
        if_failed=_if_failed(fields),
    )


def _model(fields: Fields) -> str:
    # Names of registered models are MLflow's, which has other rules than names of nodes.
    model = fields.text("model")
    if not model:
        fields.refuse("model", "It names no model.", "Name the registered model that answers here.")
    return model


def _if_failed(fields: Fields) -> Goal | None:
    if not fields.has("if_failed"):
        return None
    if fields.take("if_failed") == "skip":
        return _SKIP
    return _goal(fields, "if_failed", _SKIP)


def _combiner(name: str, fields: Fields) -> Node:
    sources = fields.list_of_names("of")
    if len(sources) < 2 or REQUEST in sources:
        fields.refuse("of", "It combines less than two nodes.", "Name two nodes or more.")
    method = fields.choice("method", METHODS, "mean")
    return Node(
        name,
        COMBINER,
        sources,
        _goal(fields, "then", Goal(Aim.OUTPUT, name)),
        if_failed=_if_failed(fields),
        method=method,
        weights=_weights(fields, sources) if method == "weighted" else (),
    )


def _weights(fields: Fields, sources: tuple[str, ...]) -> tuple[float, ...]:
    given = fields.inside("weights")
    found = [given.number(source) for source in sources]
    given.finish()
    if any(weight is None or not 0 < weight < 1e9 for weight in found):
        given.refuse("", "It does not give each node a weight above 0.", f"Weigh {', '.join(sources)}.")
    return tuple(weight or 1.0 for weight in found)


def _router(name: str, fields: Fields) -> Node:
    on = fields.name("on") if fields.has("on") else ""
    cases = _cases(fields, on)
    named = [on] if on else []
    sources = dict.fromkeys([*named, *(condition.of for case in cases for condition in case.when)])
    if not fields.has("otherwise"):
        fields.refuse("otherwise", "This entry is needed.", "Say where a record goes of which no case holds.")
    return Node(name, ROUTER, tuple(sources), _goal(fields, "otherwise", _SKIP), cases=cases)


def _cases(fields: Fields, on: str) -> tuple[Case, ...]:
    given = fields.take("cases")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_CASES:
        fields.refuse("cases", f"It is {describe(given)}, not a list of cases.", f"Give it 1 to {MAX_CASES} cases.")
        return ()
    found = []
    for number, item in enumerate(given):
        inner = Fields(item, f"{fields.where}.cases[{number}]", fields.problems)
        when = conditions.read(inner.take("when"), "when", on, inner)
        if not inner.has("then"):
            inner.refuse("then", "This entry is needed.", "Say where a record goes of which this case holds.")
        found.append(Case(when, _goal(inner, "then", _SKIP)))
        inner.finish()
    return tuple(found)


def _goal(fields: Fields, key: str, default: Goal) -> Goal:
    """A node's name, or `{answer: …}`: the name of the node whose output is the answer, or the answer itself, which is
    anything but a text."""
    value = fields.take(key)
    if value is None:
        return default
    if is_name(value):
        return Goal(Aim.NODE, str(value))
    if not isinstance(value, dict) or list(value) != ["answer"]:
        remedy = "Name a node, or write `{answer: <node>}` or `{answer: {…}}`."
        fields.refuse(key, f"It is {describe(value)}, which is neither a node nor an answer.", remedy)
        return default
    answer = Fields(value, f"{fields.where}.{key}", fields.problems).value("answer")
    if isinstance(answer, str):
        return Goal(Aim.OUTPUT, answer)
    return Goal(Aim.CONSTANT, value=answer)
