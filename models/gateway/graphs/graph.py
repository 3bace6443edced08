"""What a graph is, once its text has been read. Immutable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

# In the place of a node's name: the records of the request.
REQUEST: Final = "request"
MODEL, TRANSFORMER, ROUTER, COMBINER = "model", "transformer", "router", "combiner"
KINDS = (MODEL, TRANSFORMER, ROUTER, COMBINER)
METHODS = ("mean", "vote", "weighted", "first", "merge")


class Problem(NamedTuple):
    """One thing wrong with a graph: where, what, and what to do."""

    field: str
    message: str
    remedy: str


class GraphError(ValueError):
    """What was read is no graph."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


class Aim(Enum):
    """What a goal is."""

    NODE = "node"  # the record goes on to that node
    OUTPUT = "output"  # that node's output is the answer
    CONSTANT = "constant"  # the answer is given
    SKIP = "skip"  # a combiner goes on without it


class Goal(NamedTuple):
    """Where a record goes from a node: to the node called `node`, or to its answer."""

    aim: Aim
    node: str = ""
    value: Any = None


class Condition(NamedTuple):
    """Something that is true of a record or not: `what` is column, value, probability or confidence of `of`'s output;
    `name` is the column or the class; `tests` are pairs of an operation and what it compares with, which all hold."""

    of: str
    what: str
    name: str
    tests: tuple[tuple[str, Any], ...]


class Case(NamedTuple):
    """Where a record goes of which all conditions hold."""

    when: tuple[Condition, ...]
    then: Goal


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `sources` are the nodes (or `REQUEST`) whose outputs it needs; `then` is where a record goes after it,
    for a router where no case holds. `version` and `version_id` are 0 and empty until it is deployed."""

    name: str
    kind: str
    sources: tuple[str, ...]
    then: Goal
    model: str = ""
    version: int = 0
    version_id: str = ""
    timeout: float | None = None
    if_failed: Goal | None = None
    cases: tuple[Case, ...] = ()
    method: str = ""
    weights: tuple[float, ...] = ()

    @property
    def is_asked(self) -> bool:
        """Whether a version of a model answers it."""
        return self.kind in (MODEL, TRANSFORMER)

    @property
    def skips(self) -> bool:
        """Whether combiners go on without it when it fails."""
        return self.if_failed is not None and self.if_failed.aim is Aim.SKIP

    def goals(self) -> Iterator[Goal]:
        """Every goal that a record may have after it."""
        for case in self.cases:
            yield case.then
        yield self.then
        if self.if_failed is not None and not self.skips:
            yield self.if_failed


@dataclass(frozen=True, slots=True)
class Graph:
    """The whole of it. `name` is that of its section in the project's file."""

    name: str
    start: str
    nodes: dict[str, Node]
    description: str = ""

    def in_order(self) -> list[Node]:
        """The nodes from the start on, each before what comes after it as far as one row can tell."""
        found: dict[str, Node] = {}
        ahead = [self.start]
        while ahead:
            name = ahead.pop(0)
            if name in found:
                continue
            node = self.nodes[name]
            missing = [source for source in node.sources if source != REQUEST and source not in found]
            if missing:
                ahead[:0] = [*missing, name]
                continue
            found[name] = node
            ahead += [goal.node for goal in node.goals() if goal.node]
        return list(found.values())

    def asked(self) -> list[Node]:
        """The nodes that versions answer, in order."""
        return [node for node in self.in_order() if node.is_asked]

    def takers(self) -> list[Node]:
        """The nodes that are asked about the records of the request themselves."""
        return [node for node in self.asked() if REQUEST in node.sources]
