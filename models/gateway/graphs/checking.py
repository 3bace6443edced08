"""Whether a graph that was read is one: what it names is there, it ends, and nothing stands in it for nothing."""

from __future__ import annotations

from models.gateway.graphs.graph import COMBINER, REQUEST, ROUTER, Aim, Graph, Problem

# Of all routers together, and outputs of models in one merged output.
MAX_CONDITIONS = 200
MAX_PARTS = 1000


def check(graph: Graph) -> list[Problem]:
    """What is wrong with it."""
    problems = _missing(graph)
    if problems:
        return problems
    if circles := _circles(graph):
        return circles
    return [*_routed(graph), *_skipped(graph), *_unreached(graph), *_too_much(graph)]


def _missing(graph: Graph) -> list[Problem]:
    known = f"It has {', '.join(graph.nodes)}."
    problems = []
    if graph.start not in graph.nodes:
        problems.append(Problem("start", f"There is no node {graph.start!r}.", known))
    for node in graph.nodes.values():
        named = [source for source in node.sources if source != REQUEST]
        named += [goal.node for goal in node.goals() if goal.aim in (Aim.NODE, Aim.OUTPUT)]
        for name in dict.fromkeys(name for name in named if name not in graph.nodes):
            problems.append(Problem(f"nodes.{node.name}", f"There is no node {name!r}.", known))
    return problems


def _too_much(graph: Graph) -> list[Problem]:
    """Every request asks the conditions of each of its records, and what is merged again and again grows each time."""
    problems = []
    conditions = sum(len(case.when) for node in graph.nodes.values() for case in node.cases)
    if conditions > MAX_CONDITIONS:
        remedy = f"Give it {MAX_CONDITIONS} at most; let a model decide what is finer."
        problems.append(Problem("nodes", f"Its routers have {conditions} conditions together.", remedy))
    parts: dict[str, int] = {}
    for name in graph.nodes:
        if _parts(graph, name, parts) > MAX_PARTS:
            remedy = f"Merge fewer outputs, or each only once; {MAX_PARTS} at most."
            problems.append(Problem(f"nodes.{name}", f"It would be made of {parts[name]:,} outputs.", remedy))
            break
    return problems


def _parts(graph: Graph, name: str, known: dict[str, int]) -> int:
    """Of how many outputs of models the node's output is made."""
    if name not in known:
        node = graph.nodes[name]
        each = [_parts(graph, source, known) for source in node.sources] if node.kind == COMBINER else []
        known[name] = sum(each) if node.method == "merge" else max(each, default=1)
    return known[name]


def _before(graph: Graph) -> dict[str, set[str]]:
    """After which nodes each comes: those that lead to it and those whose outputs it needs."""
    before: dict[str, set[str]] = {name: set() for name in graph.nodes}
    for node in graph.nodes.values():
        before[node.name].update(source for source in node.sources if source != REQUEST)
        for goal in node.goals():
            if goal.aim is Aim.NODE:
                before[goal.node].add(node.name)
    return before


def _circles(graph: Graph) -> list[Problem]:
    before = _before(graph)
    while True:
        free = [name for name, needed in before.items() if not needed]
        if not free:
            break
        for name in free:
            del before[name]
        for needed in before.values():
            needed.difference_update(free)
    if not before:
        return []
    names = ", ".join(before)
    remedy = "Let every node lead only to nodes that come after it, and use only outputs of nodes that come before."
    return [Problem("nodes", f"There is a circle among {names}, or these come after one.", remedy)]


def _routed(graph: Graph) -> list[Problem]:
    """Routers have no outputs that could be used."""
    problems = []
    for node in graph.nodes.values():
        used = [*node.sources, *(goal.node for goal in node.goals() if goal.aim is Aim.OUTPUT)]
        for name in dict.fromkeys(used):
            if name != REQUEST and graph.nodes[name].kind == ROUTER:
                remedy = "Name a model or a combiner."
                problems.append(Problem(f"nodes.{node.name}", f"{name} is a router and has no output.", remedy))
    return problems


def _skipped(graph: Graph) -> list[Problem]:
    problems = []
    led_to, _ = _reached(graph)
    for name in [node.name for node in graph.nodes.values() if node.skips]:
        users = [node for node in graph.nodes.values() if name in node.sources]
        if name in led_to or any(user.kind != COMBINER for user in users):
            remedy = "Use `skip` only where combiners alone use the node, or say where its records go."
            problems.append(Problem(f"nodes.{name}.if_failed", "Not only combiners need this node's output.", remedy))
    for node in graph.nodes.values():
        if node.if_failed is not None and node.if_failed.aim is Aim.OUTPUT and node.if_failed.node == node.name:
            problems.append(Problem(f"nodes.{node.name}.if_failed", "It has no output then.", "Name another node."))
    return problems


def _unreached(graph: Graph) -> list[Problem]:
    led_to, used = _reached(graph)
    return [
        Problem(f"nodes.{name}", "Nothing leads to it and nothing uses its output.", "Leave it out, or lead to it.")
        for name in graph.nodes
        if name not in led_to and name not in used
    ]


def _reached(graph: Graph) -> tuple[set[str], set[str]]:
    """The nodes that records are led to, and those whose outputs are used; what comes after the latter is not gone."""
    led_to: set[str] = set()
    used: set[str] = set()
    ahead, needed = [graph.start], list[str]()
    while ahead:
        name = ahead.pop()
        if name not in led_to:
            led_to.add(name)
            goals = list(graph.nodes[name].goals())
            ahead += [goal.node for goal in goals if goal.aim is Aim.NODE]
            needed += [goal.node for goal in goals if goal.aim is Aim.OUTPUT and goal.node != name]
            needed += graph.nodes[name].sources
    while needed:
        name = needed.pop()
        if name != REQUEST and name not in used:
            used.add(name)
            needed += graph.nodes[name].sources
    return led_to, used
