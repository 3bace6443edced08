"""What people declare and clients name, as targets: rules, routings, graphs, versions in a header, units."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from models.gateway import answers
from models.gateway.choosing import Chooser, pinned, unit_of
from models.gateway.graphs.graph import GraphError
from models.gateway.graphs.parsing import parse as parse_graph
from models.gateway.paths import PREDICT
from models.gateway.routes import Endpoint, Match, parse
from models.gateway.routing import PIN_HEADER, RoutingError, Units, parse_routing, unit_text
from models.gateway.rules import RuleError, compile_rule
from tests.gateway.fuzz.mutating import VALUES
from tests.gateway.graphs.graphs import XRAY, drive
from tests.gateway.processes import KEY, endpoint, target

RULE = {
    "when": [
        {"column": "income", "below": 1200, "at_least": 0},
        {"column": "shade", "one_of": ["light", 1, True]},
        {"column": "since", "above": "2026-01-31"},
        {"column": "arrears", "missing": True},
        {"column": "x", "not_equals": "y", "equals": 1.5},
    ],
    "all": False,
    "then": {"prediction": "refuse", "probabilities": {"refuse": 1, "accept": 0}},
    "otherwise": {"prediction": [1], "probabilities": {"refuse": 0.25}},
}
ROUTING = {
    "assign": {"by": "column", "name": "customer", "salt": "s"},
    "pins": {"header": True, "keys": {"key-1": "version-2"}},
}
COMBINED: dict[str, Any] = {
    "start": "a",
    "nodes": {
        "a": {"model": "m", "version": 2, "input": ["request"], "timeout": "150ms", "if_failed": "skip", "then": "c"},
        "b": {"model": "m", "if_failed": "skip"},
        "c": {"kind": "combiner", "of": ["a", "b"], "method": "weighted", "weights": {"a": 1, "b": 0.5}, "then": "d"},
        "d": {
            "kind": "router",
            "cases": [
                {"when": [{"column": "age", "of": "request", "above": 65}], "then": {"answer": {"x": [1]}}},
                {"when": {"of": "c", "value": {"one_of": [1, "a"]}}, "then": {"answer": "c"}},
            ],
            "otherwise": {"answer": "a"},
        },
    },
}


def rule(data: bytes) -> None:
    """Rules of fallbacks. What is one answers every record, whatever it holds, by what can be written."""
    try:
        compiled = compile_rule(_loaded(data))
    except RuleError as error:
        _check_told(str(error))
        return
    records: list[Any] = [*VALUES, *({column: value} for value in VALUES for column in compiled.columns)]
    predictions, probabilities = compiled.answers(records)
    assert len(predictions) == len(records)
    assert probabilities is None or len(probabilities) == len(records)
    orjson.dumps([predictions, probabilities])


def routing(data: bytes) -> None:
    """Routings of deployments. What is one finds the unit of any request, and a version for it."""
    try:
        found = parse_routing(_loaded(data))
    except RoutingError as error:
        _check_told(str(error))
        return
    salt = "" if found.assign is None else found.assign.salt
    shares = Units(salt, [("a", 0), ("b", 1), ("c", 10**6)])
    for unit in filter(None, map(unit_text, VALUES)):
        place = shares.place(unit)
        assert place in (1, 2)
        assert shares.place(unit, {0, place}) == place
    if found.assign is not None:
        match = Match(_endpoint({**ROUTING, "assign": found.assign._asdict()}), "own", PREDICT)
        for value in VALUES:
            unit_of(match, {}, [{found.assign.name: value}, value])
            unit_of(match, {}, [value])


def graph(data: bytes) -> None:
    """Graphs. What is one comes to an end with any outputs, and its steps can be written."""
    try:
        found = parse_graph("any", _loaded(data))
    except GraphError as error:
        _check_told(*(f"{problem.message} {problem.remedy}" for problem in error.problems))
        return
    chance = random.Random(len(data))

    def says(_name: str, _inputs: Any) -> tuple[Any, dict[str, float] | None]:
        return chance.choice(VALUES), chance.choice((None, {"ill": 0.5, "1": 0.25}))

    walk = drive(found, [{"age": value} for value in VALUES[:6]], says, chance)
    orjson.dumps([walk.steps, walk.answers if walk.failure is None else list(walk.failure)])


def version(data: bytes) -> None:
    """Versions and units that clients name in headers. There is such a version, or a refusal that can be read."""
    name = b"x-customer"
    served = _endpoint({**ROUTING, "assign": {"by": "header", "name": name.decode()}})
    chooser = Chooser(lambda one: one.version == 1, lambda unit: unit[:1])
    for headers in ({PIN_HEADER: data}, {name: data}, {PIN_HEADER: data, name: data}):
        match = pinned(Match(served, "own", PREDICT), headers)
        choice = chooser.choose(match, "key-2", unit_of(match, headers, None))
        if choice is None:
            assert orjson.loads(answers.not_served(match).body)["remedy"]
        else:
            assert choice.target in served.targets
            orjson.dumps(choice.facts)


def _check_told(*problems: str) -> None:
    assert problems
    assert all(len(problem) > 10 for problem in problems)


def _loaded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError:
        return None


def _endpoint(routing: Mapping[str, Any]) -> Endpoint:
    return parse(_table(routing)).endpoints["acme/wine"]


def _table(routing: Mapping[str, Any]) -> bytes:
    versions = [
        {**target("cellar", 1), "model_version_id": "version-1", "role": "live", "weight": 90},
        {**target("cellar", 2), "model_version_id": "version-2", "role": "canary", "weight": 10},
        {**target("cellar", 3), "model_version_id": "version-3", "role": "shadow", "weight": 0},
    ]
    extras = {"routing": routing, "fallback": {"kind": "rule", "rule": RULE}, "state": "active"}
    entry = {**endpoint(1, *versions), **extras}
    return orjson.dumps({"revision": 1, "endpoints": {"acme/wine": entry}})


def _graph_table() -> bytes:
    nodes = {name: {**node, "model_version_id": "version-1"} for name, node in COMBINED["nodes"].items() if name < "c"}
    given = {"start": "a", "nodes": {**COMBINED["nodes"], **nodes}}
    version = {**target("m", 2), "model_version_id": "version-1", "role": "node", "weight": 0}
    return orjson.dumps({"revision": 1, "endpoints": {"a/b": {**endpoint(1, version), "graph": given}}})


TARGETS: dict[str, Callable[[bytes], Any]] = {"rule": rule, "routing": routing, "graph": graph, "version": version}
SEEDS: dict[str, Sequence[bytes]] = {
    "rule": (orjson.dumps(RULE),),
    "routing": (orjson.dumps(ROUTING), b'{"assign": {"by": "header", "name": "x-user-id"}}'),
    "graph": (orjson.dumps(XRAY), orjson.dumps(COMBINED)),
    "version": (b"1", b"cellar/2", b"wine/3", KEY.encode()),
}
ROUTES = (_table(ROUTING), _graph_table())
