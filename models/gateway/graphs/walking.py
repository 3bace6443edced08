"""The way of a request's records through a graph. It says whom to ask, is told what they answered, and ends.

Every record goes its own way; records of one request that ask the same node at the same time ask it together. A node
whose output is needed is asked when it is needed, and no node is asked twice about the same record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import orjson

from models.gateway.graphs.combining import CannotCombine, Combined, Part, combine
from models.gateway.graphs.conditions import CannotTell, Chances, holds
from models.gateway.graphs.graph import COMBINER, REQUEST, ROUTER, Aim, Goal, Graph, Node

Record = Mapping[str, Any]


class _Gap(Enum):
    """What stands in the place of an output."""

    NOT_YET = 0
    FAILED = 1


class NodeFailure(NamedTuple):
    """Why a walk came to no answer: the node, a word, and a sentence."""

    node: str
    code: str
    message: str


class Ask(NamedTuple):
    """A question to the version of a node, about the records of these numbers."""

    number: int
    node: Node
    indices: list[int]


# Combined outputs stand in the answer and on record; a request may have 10,000 records.
MAX_COMBINED_BYTES = 16 * 1024 * 1024


class _Do(Enum):
    MAKE = 0  # compute the node's output
    GO_ON = 1  # its output is there: go on to what comes after it
    ROUTE = 2
    END = 3  # its output is the answer


class _Task(NamedTuple):
    do: _Do
    node: Node
    indices: Sequence[int]
    needs: tuple[str, ...]


class Walk:
    """One request's. `answers` and `chances` (probabilities, where the answering node gave some) are complete once
    `is_over` and there is no `failure`; `steps` is what happened, for the record."""

    def __init__(self, graph: Graph, records: Sequence[Record]) -> None:
        count = len(records)
        self.graph = graph
        self.records = records
        self.answers: list[Any] = [_Gap.NOT_YET] * count
        self.chances: list[Chances] = [None] * count
        self.steps: list[dict[str, Any]] = []
        self.failure: NodeFailure | None = None
        self._left = count
        self._outputs: dict[str, list[Any]] = defaultdict(lambda: [_Gap.NOT_YET] * count)
        self._all_chances: dict[str, list[Chances]] = defaultdict(lambda: [None] * count)
        self._asked: dict[str, set[int]] = defaultdict(set)
        self._why: dict[str, NodeFailure] = {}
        self._todo: list[_Task] = []
        self._parked: list[_Task] = []
        self._asks: list[Ask] = []
        self._numbers = 0
        self._sizes: dict[tuple[str, int], int] = {}
        self._combined_bytes = 0

    @property
    def is_over(self) -> bool:
        """Whether every record has its answer, or none will have one."""
        return self._left == 0 or self.failure is not None

    def begin(self) -> list[Ask]:
        """Whom to ask first."""
        self._enter(self.graph.start, range(len(self.records)))
        return self._work()

    def output(self, node: str, index: int) -> Any:
        """What the node gave for the record; it did."""
        return self._outputs[node][index]

    def answered(
        self, ask: Ask, outputs: Sequence[Any], chances: Sequence[Chances] | None, facts: Mapping[str, Any]
    ) -> list[Ask]:
        """Take the answer to a question; whom to ask next. `facts` go on record beside it."""
        if self.is_over:
            return []
        step = self._step(ask.node, ask.indices)
        step |= {"outputs": outputs, **facts}
        if chances is not None:
            step["probabilities"] = chances
        self._store(ask.node.name, ask.indices, outputs, chances or [None] * len(ask.indices))
        return self._work()

    def failed(self, ask: Ask, code: str, message: str, facts: Mapping[str, Any]) -> list[Ask]:
        """Take it that the question found no answer; whom to ask next."""
        if self.is_over:
            return []
        step = self._step(ask.node, ask.indices)
        step |= {"error": {"code": code, "message": message}, **facts}
        self._gap(ask.node, ask.indices, NodeFailure(ask.node.name, code, message))
        return self._work()

    def break_off(self, ask: Ask, facts: Mapping[str, Any]) -> None:
        """Take it that what was answered cannot be used for anything: the request fails."""
        self.failure = NodeFailure(ask.node.name, "unusable_answer", "Its answer could not be used.")
        self._step(ask.node, ask.indices).update({"error": {"code": self.failure.code}, **facts})

    def give_up(self, node: str) -> None:
        """Take it that the way cannot go on at the node, for a fault that is none of its answer: the request fails."""
        self.failure = NodeFailure(node, "cannot_go_on", "The gateway could not go on here; its log says why.")
        self._step(self.graph.nodes[node], range(len(self.records)))["error"] = {"code": self.failure.code}

    def _work(self) -> list[Ask]:
        """Do what can be done until answers are needed."""
        while self._todo and self.failure is None:
            self._do(self._todo.pop())
        asks, self._asks = self._asks, []
        return [] if self.failure is not None else asks

    def _do(self, task: _Task) -> None:
        """Act on the records for which all is there that it takes; the others wait."""
        needs = [name for name in task.needs if name != REQUEST]
        columns = [(name, self._outputs[name]) for name in needs]
        waiting: set[int] = set()
        for name, column in columns:
            lacking = [index for index in task.indices if column[index] is _Gap.NOT_YET]
            if lacking:
                waiting.update(lacking)
                self._demand(name, lacking)
        ready = [index for index in task.indices if index not in waiting]
        if waiting:
            self._parked.append(task._replace(indices=[index for index in task.indices if index in waiting]))
        if ready:
            self._act(task, ready)

    def _act(self, task: _Task, ready: list[int]) -> None:
        node = task.node
        for name in [name for name in task.needs if name != REQUEST]:
            if task.do is _Do.MAKE and node.kind == COMBINER and self.graph.nodes[name].skips:
                continue
            column = self._outputs[name]
            broken = [index for index in ready if column[index] is _Gap.FAILED]
            if broken:
                ready = [index for index in ready if column[index] is not _Gap.FAILED]
                self._lacks(task, name, broken)
        if not ready or self.failure is not None:
            return
        if task.do is _Do.MAKE and node.kind == COMBINER:
            self._combine(node, ready)
        elif task.do is _Do.MAKE:
            self._numbers += 1
            self._asks.append(Ask(self._numbers, node, ready))
        elif task.do is _Do.GO_ON:
            self._aim(node.then, ready)
        elif task.do is _Do.ROUTE:
            self._route(node, ready)
        else:
            self._end(node.name, ready)

    def _lacks(self, task: _Task, name: str, indices: list[int]) -> None:
        """The node `name`, which the task needs, failed for these records."""
        if task.do is _Do.MAKE:
            # What it is made of is not there, so it fails too.
            self._gap(task.node, indices, self._why[name])
        elif task.do is _Do.GO_ON and task.node.if_failed is not None:
            self._aim(task.node.if_failed, indices)
        else:
            self.failure = self._why[name]

    def _demand(self, name: str, indices: Sequence[int]) -> None:
        asked = self._asked[name]
        fresh = [index for index in indices if index not in asked]
        if fresh:
            asked.update(fresh)
            node = self.graph.nodes[name]
            self._todo.append(_Task(_Do.MAKE, node, fresh, node.sources))

    def _enter(self, name: str, indices: Sequence[int]) -> None:
        node = self.graph.nodes[name]
        if node.kind == ROUTER:
            self._todo.append(_Task(_Do.ROUTE, node, indices, node.sources))
        else:
            self._todo.append(_Task(_Do.GO_ON, node, indices, (name,)))

    def _aim(self, goal: Goal, indices: Sequence[int]) -> None:
        if not indices:
            return
        if goal.aim is Aim.NODE:
            self._enter(goal.node, indices)
        elif goal.aim is Aim.OUTPUT:
            self._todo.append(_Task(_Do.END, self.graph.nodes[goal.node], indices, (goal.node,)))
        else:
            for index in indices:
                self._answer(index, goal.value, None)

    def _end(self, name: str, indices: Sequence[int]) -> None:
        column, chances = self._outputs[name], self._all_chances[name]
        for index in indices:
            self._answer(index, column[index], chances[index])

    def _answer(self, index: int, answer: Any, chances: Chances) -> None:
        self.answers[index], self.chances[index] = answer, chances
        self._left -= 1

    def _route(self, node: Node, indices: Sequence[int]) -> None:
        groups: dict[int, list[int]] = defaultdict(list)
        goals = [*(case.then for case in node.cases), node.then]
        for index in indices:
            try:
                groups[self._case(node, index)].append(index)
            except CannotTell as error:
                self._step(node, [index])["error"] = {"code": "cannot_route", "message": f"{error}."}
                self.failure = NodeFailure(node.name, "cannot_route", f"{error}.")
                return
        chosen = {index: number for number, group in groups.items() for index in group}
        self._step(node, indices)["to"] = [_told(goals[chosen[index]]) for index in indices]
        for number, group in groups.items():
            self._aim(goals[number], group)

    def _case(self, node: Node, index: int) -> int:
        """The number of the first case that holds, one past the last when none does."""
        for number, case in enumerate(node.cases):
            if all(self._holds(condition, index) for condition in case.when):
                return number
        return len(node.cases)

    def _holds(self, condition: Any, index: int) -> bool:
        if condition.of == REQUEST:
            return holds(condition, self.records[index], None, None)
        output, chances = self._outputs[condition.of][index], self._all_chances[condition.of][index]
        return holds(condition, self.records[index], output, chances)

    def _combine(self, node: Node, indices: Sequence[int]) -> None:
        made: list[tuple[int, Combined]] = []
        for index in indices:
            try:
                made.append((index, self._combined(node, index)))
            except CannotCombine as error:
                also = next((f" ({why.node}: {why.message})" for why in map(self._why.get, node.sources) if why), "")
                failure = NodeFailure(node.name, "cannot_combine", f"{error}{also}.")
                self._step(node, [index])["error"] = {"code": failure.code, "message": failure.message}
                self._gap(node, [index], failure)
        if not made:
            return
        ready, outputs = [index for index, _ in made], [each.output for _, each in made]
        chances = [each.chances for _, each in made]
        step = self._step(node, ready)
        step["outputs"] = outputs
        if any(each is not None for each in chances):
            step["probabilities"] = chances
        self._store(node.name, ready, outputs, chances)

    def _combined(self, node: Node, index: int) -> Combined:
        """Raises CannotCombine, also where all that was combined for this request has grown too large to be kept."""
        parts = self._parts(node, index)
        try:
            sizes = [self._size(part.node, index) for part in parts]
            self._sizes[node.name, index] = sum(sizes) if node.method == "merge" else max(sizes, default=0)
            self._combined_bytes += sum(sizes) if node.method in ("merge", "vote") else max(sizes, default=0)
            if self._combined_bytes > MAX_COMBINED_BYTES:
                mebibytes = MAX_COMBINED_BYTES >> 20
                raise CannotCombine(f"all that is combined for this request has more than {mebibytes} MiB")
            return combine(node.method, parts)
        except (RecursionError, ValueError, TypeError, OverflowError) as error:
            raise CannotCombine(f"the outputs do not go together: {error}") from None

    def _size(self, name: str, index: int) -> int:
        """About how many bytes the node's output has as JSON; of what is combined no more than its parts together."""
        size = self._sizes.get((name, index))
        if size is None:
            size = self._sizes[name, index] = len(orjson.dumps(self._outputs[name][index]))
        return size

    def _parts(self, node: Node, index: int) -> list[Part]:
        weights = node.weights or (1.0,) * len(node.sources)
        return [
            Part(name, self._outputs[name][index], self._all_chances[name][index], weight)
            for name, weight in zip(node.sources, weights, strict=True)
            if self._outputs[name][index] is not _Gap.FAILED
        ]

    def _store(self, name: str, indices: Sequence[int], outputs: Sequence[Any], chances: Sequence[Chances]) -> None:
        column, column_of_chances = self._outputs[name], self._all_chances[name]
        for index, output, chance in zip(indices, outputs, chances, strict=True):
            column[index], column_of_chances[index] = output, chance
        self._unpark()

    def _gap(self, node: Node, indices: Sequence[int], failure: NodeFailure) -> None:
        # Whoever needs its output decides what that means: another node may have a way for it.
        self._why[node.name] = failure
        column = self._outputs[node.name]
        for index in indices:
            column[index] = _Gap.FAILED
        self._unpark()

    def _unpark(self) -> None:
        self._todo += self._parked
        self._parked = []

    def _step(self, node: Node, indices: Sequence[int]) -> dict[str, Any]:
        step: dict[str, Any] = {"node": node.name, "kind": node.kind}
        if len(indices) < len(self.records):
            step["records"] = list(indices)
        self.steps.append(step)
        return step


def _told(goal: Goal) -> str:
    """A goal as the record tells it: the node's name, or what the answer is."""
    if goal.aim is Aim.NODE:
        return goal.node
    return f"answer: {goal.node}" if goal.aim is Aim.OUTPUT else "answer"
