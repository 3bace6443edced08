"""Graphs of tests: the one of the documents, ones made at random, and what a graph should answer, told one record at a
time by the plainest code."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from models.gateway.graphs.combining import Part, combine
from models.gateway.graphs.conditions import holds
from models.gateway.graphs.graph import REQUEST, Aim, Goal, Graph, Node
from models.gateway.graphs.walking import Ask, Walk

XRAY: dict[str, Any] = {
    "start": "scale",
    "nodes": {
        "scale": {"kind": "transformer", "model": "xray-scaler", "then": "detect"},
        "detect": {"model": "xray-detector", "input": "scale", "then": "decide"},
        "decide": {
            "kind": "router",
            "on": "detect",
            "cases": [
                {"when": {"probability": {"class": "ill", "below": 0.2}}, "then": {"answer": {"finding": "none"}}}
            ],
            "otherwise": "classify",
        },
        "classify": {"model": "xray-types", "input": "scale", "then": "sure"},
        "sure": {
            "kind": "router",
            "on": "classify",
            "cases": [{"when": {"confidence": {"below": 0.6}}, "then": {"answer": {"finding": "ask a human"}}}],
            "otherwise": {"answer": "classify"},
        },
    },
}

Model = Callable[[str, Any], tuple[Any, dict[str, float] | None]]
FAILS = "fails"


def drive(graph: Graph, records: list[dict[str, Any]], model: Model, chance: random.Random) -> Walk:
    """Walk the records through the graph; versions answer in any order. A node called `fails…` fails."""
    walk = Walk(graph, records)
    asks = walk.begin()
    seen: set[tuple[str, int]] = set()
    while asks and not walk.is_over:
        ask = asks.pop(chance.randrange(len(asks)))
        for index in ask.indices:
            assert (ask.node.name, index) not in seen, "asked twice about one record"
            seen.add((ask.node.name, index))
        asks += _answer(walk, ask, model)
    assert walk.is_over, "it came to no end"
    return walk


def _answer(walk: Walk, ask: Ask, model: Model) -> list[Ask]:
    if ask.node.name.startswith(FAILS):
        return walk.failed(ask, "broken", "It is broken.", {})
    answers = [model(ask.node.name, _inputs(walk, ask.node, index)) for index in ask.indices]
    chances = [chances for _, chances in answers]
    return walk.answered(ask, [output for output, _ in answers], chances if all(chances) else None, {})


def _inputs(walk: Walk, node: Node, index: int) -> Any:
    return [walk.records[index] if name == REQUEST else walk.output(name, index) for name in node.sources]


class Failed(Exception):
    """The request has no answer."""


class Plainly:
    """One record's answer, by recursion."""

    def __init__(self, graph: Graph, record: dict[str, Any], model: Model) -> None:
        self._graph, self._record, self._model = graph, record, model

    def answer(self) -> Any:
        """Raises Failed."""
        return self._from(self._graph.start)

    def _from(self, name: str) -> Any:
        node = self._graph.nodes[name]
        if node.kind == "router":
            return self._go(next((case.then for case in node.cases if self._all(case.when)), node.then))
        try:
            self._made(name)
        except Failed:
            if node.if_failed is None or node.skips:
                raise
            return self._go(node.if_failed)
        return self._go(node.then)

    def _go(self, goal: Goal) -> Any:
        if goal.aim is Aim.NODE:
            return self._from(goal.node)
        return goal.value if goal.aim is Aim.CONSTANT else self._made(goal.node)[0]

    def _all(self, conditions: Any) -> bool:
        return all(holds(one, self._record, *self._given(one.of)) for one in conditions)

    def _given(self, name: str) -> tuple[Any, Any]:
        return (None, None) if name == REQUEST else self._made(name)

    def _made(self, name: str) -> tuple[Any, Any]:
        node = self._graph.nodes[name]
        if name.startswith(FAILS):
            raise Failed(name)
        if node.kind != "combiner":
            inputs = [self._record if each == REQUEST else self._made(each)[0] for each in node.sources]
            return self._model(name, inputs)
        parts = []
        for each, weight in zip(node.sources, node.weights or (1.0,) * len(node.sources), strict=True):
            try:
                parts.append(Part(each, *self._made(each), weight))
            except Failed:
                if not self._graph.nodes[each].skips:
                    raise
        if not parts:
            raise Failed(name)
        return combine(node.method, parts)


def made_at_random(seed: int, *, with_failures: bool = False) -> dict[str, Any]:
    """The data of a valid graph: of nodes in a row each leads on to later ones, uses earlier ones, and is reached."""
    chance = random.Random(seed)
    count = chance.randint(1, 12)
    kinds = [chance.choices(("model", "router", "combiner"), (5, 3, 2))[0] for _ in range(count)]
    kinds[0] = "model" if kinds[0] == "combiner" else kinds[0]
    names = [
        f"{FAILS}{place}" if with_failures and kind == "model" and chance.random() < 0.25 else f"n{place}"
        for place, kind in enumerate(kinds)
    ]
    nodes: dict[str, Any] = {}
    for place, name in enumerate(names):
        givers = [names[at] for at in range(place) if kinds[at] != "router"]
        nodes[name] = _node_at_random(chance, kinds[place], name, givers, names[place + 1 :])
    data = {"start": names[0], "nodes": nodes}
    return _without_unreached(data)


def _node_at_random(chance: random.Random, kind: str, name: str, givers: list[str], later: list[str]) -> dict[str, Any]:
    def goal() -> Any:
        if later and chance.random() < 0.7:
            return chance.choice(later)
        if givers and chance.random() < 0.5:
            return {"answer": chance.choice(givers)}
        return {"answer": {"given": name}}

    if kind == "router":
        on = chance.choice([REQUEST, *givers])
        cases = []
        for _ in range(chance.randint(1, 3)):
            limit = chance.random()
            when = {"column": "x", "below": limit} if on == REQUEST else {"value": {"below": limit}}
            cases.append({"when": when, "then": goal()})
        return {"kind": "router", "on": on, "cases": cases, "otherwise": goal()}
    node: dict[str, Any] = {"then": goal()}
    if chance.random() < 0.3:
        del node["then"]
    if kind == "combiner" and len(givers) >= 2:
        of = chance.sample(givers, chance.randint(2, min(4, len(givers))))
        method = chance.choice(("mean", "vote", "weighted", "first"))
        node |= {"kind": "combiner", "of": of, "method": method}
        if method == "weighted":
            node["weights"] = {each: chance.randint(1, 5) for each in of}
    else:
        node |= {"model": "m", "input": chance.sample([REQUEST, *givers], chance.randint(1, min(3, len(givers) + 1)))}
        if name.startswith(FAILS) and chance.random() < 0.7:
            node["if_failed"] = goal()
    return node


def _without_unreached(data: dict[str, Any]) -> dict[str, Any]:
    nodes, led_to, used = data["nodes"], set[str](), set[str]()
    ahead, needed = [data["start"]], list[str]()
    while ahead:
        name = ahead.pop()
        if name in led_to:
            continue
        led_to.add(name)
        node = nodes[name]
        goals = [node.get("then"), node.get("otherwise"), node.get("if_failed")]
        goals += [case["then"] for case in node.get("cases", ())]
        ahead += [goal for goal in goals if isinstance(goal, str)]
        needed += [goal["answer"] for goal in goals if isinstance(goal, dict) and isinstance(goal["answer"], str)]
        needed.append(name)
    while needed:
        name = needed.pop()
        if name in nodes and name not in used:
            used.add(name)
            node = nodes[name]
            needed += [*node.get("input", ()), *node.get("of", ()), node.get("on", "")]
    kept = {name: dict(node) for name, node in nodes.items() if name in led_to or name in used}
    for name in kept.keys() - led_to:
        kept[name].pop("then", None)
        kept[name].pop("if_failed", None)
    return {**data, "nodes": kept}
