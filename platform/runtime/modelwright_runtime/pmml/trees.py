"""TreeModel: the first child whose predicate holds, down to the node that answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from .document import Element, Fields, PmmlError, Row, cast, need, number, only
from .predicates import Test, predicate_of
from .results import NOTHING, Compute, Result


@dataclass
class _Node:
    name: str
    test: Test
    result: Result
    has_score: bool
    default: str | None
    children: list[_Node] = field(default_factory=list)


def tree(element: Element, fields: Fields, target_type: str) -> Compute:
    """A TreeModel for numbers or categories."""
    is_classification = only(element, "functionName", "", ("regression", "classification")) == "classification"
    missing = only(
        element, "missingValueStrategy", "none", ("none", "defaultChild", "lastPrediction", "nullPrediction")
    )
    no_child = only(
        element, "noTrueChildStrategy", "returnNullPrediction", ("returnNullPrediction", "returnLastPrediction")
    )
    root_element = element.find("Node")
    if root_element is None:
        raise PmmlError("a <TreeModel> has no <Node>")
    root = _node(root_element, fields, target_type, is_classification)

    def compute(row: Row) -> Result:
        if not root.test(row):
            return NOTHING
        node = root
        while node.children:
            following, unknown = _step(node, row, stop_at_unknown=missing != "none")
            if unknown:
                if missing == "nullPrediction":
                    return NOTHING
                if missing == "lastPrediction":
                    return node.result
                following = next((child for child in node.children if child.name == node.default), None)
                if following is None:
                    return NOTHING
            if following is None:
                return node.result if no_child == "returnLastPrediction" else NOTHING
            node = following
        return node.result if node.has_score else NOTHING

    return compute


def _step(node: _Node, row: Row, *, stop_at_unknown: bool) -> tuple[_Node | None, bool]:
    for child in node.children:
        value = child.test(row)
        if value:
            return child, False
        if value is None and stop_at_unknown:
            return None, True
    return None, False


def _node(element: Element, fields: Fields, target_type: str, is_classification: bool) -> _Node:
    for unsupported in ("EmbeddedModel", "Regression", "DecisionTree"):
        if element.find(unsupported) is not None:
            raise PmmlError(f"<{unsupported}> in a <Node> is not supported")
    made = _Node(
        name=element.get("id", ""),
        test=predicate_of(element, fields),
        result=_result(element, target_type, is_classification),
        has_score=element.get("score") is not None or element.find("ScoreDistribution") is not None,
        default=element.get("defaultChild"),
    )
    made.children = [_node(child, fields, target_type, is_classification) for child in element.iterfind("Node")]
    return made


def _result(element: Element, target_type: str, is_classification: bool) -> Result:
    score = element.get("score")
    if not is_classification:
        return NOTHING if score is None else Result(float(score))
    counts = {}
    for each in element.iterfind("ScoreDistribution"):
        by = "probability" if each.get("probability") is not None else "recordCount"
        counts[cast(need(each, "value"), target_type)] = number(each, by)
    total = sum(counts.values())
    probabilities = {value: count / total for value, count in counts.items()} if total else {}
    if score is not None:
        return Result(cast(score, target_type), probabilities or {cast(score, target_type): 1.0})
    if not counts:
        return NOTHING
    return Result(max(counts, key=lambda value: counts[value]), probabilities)
