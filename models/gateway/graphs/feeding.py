"""What the version of a node is asked: records made of the request's and of other nodes' outputs, by its signature;
and which records a graph takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.gateway.fields import Field
from models.gateway.graphs.graph import COMBINER, REQUEST, Graph, Node, Problem
from models.gateway.graphs.walking import Ask, Walk
from models.gateway.signature import FreeSignature, Signature, compile_signature
from models.gateway.words import describe

AnySignature = Signature | FreeSignature
_NUMBERS = frozenset(("integer", "long", "float", "double"))


class Unfed(Exception):
    """No record of the node can be made of what others gave; the text says why."""


def records_for(walk: Walk, ask: Ask, columns: Sequence[str] | None) -> list[Any]:
    """One record for each that is asked about. `columns` are those of the version; None where any will do. The columns
    that the version does not have are left out. Raises Unfed."""
    sources = ask.node.sources
    if sources == (REQUEST,):
        taken = [walk.records[index] for index in ask.indices]
        return taken if columns is None else [_only(record, columns) for record in taken]
    if len(sources) == 1:
        name = sources[0]
        return [_record_of(name, walk.output(name, index), columns) for index in ask.indices]
    merged = []
    for index in ask.indices:
        record: dict[str, Any] = {}
        for name in sources:
            given = walk.records[index] if name == REQUEST else walk.output(name, index)
            record |= given if isinstance(given, dict) else {name: given}
        merged.append(record if columns is None else _only(record, columns))
    return merged


def _only(record: Any, columns: Sequence[str]) -> Any:
    if len(record) == len(columns):
        return record
    return {name: record[name] for name in columns if name in record}


def _record_of(name: str, value: Any, columns: Sequence[str] | None) -> Any:
    if isinstance(value, dict):
        return value if columns is None else _only(value, columns)
    if columns is not None and len(columns) == 1:
        return {columns[0]: value}
    if columns is not None and isinstance(value, list) and len(value) == len(columns):
        return dict(zip(columns, value, strict=True))
    wanted = "its columns are not known" if columns is None else f"it has {len(columns)} columns"
    raise Unfed(f"{name} gave {describe(value)}, of which no record can be made: {wanted}")


def columns_of(signature: AnySignature) -> tuple[str, ...] | None:
    """The names of a version's columns; None where any will do."""
    return signature.names if isinstance(signature, Signature) else None


def request_signature(graph: Graph, signatures: Mapping[str, AnySignature]) -> AnySignature:
    """What a request must hold: every column of the nodes that are asked about it, which `signatures` has by name. Free
    where none of them says what it takes. Nothing is known of the outputs, unless one node's is every answer."""
    return compile_signature(request_specs(graph, signatures))


def request_specs(graph: Graph, signatures: Mapping[str, AnySignature]) -> dict[str, Any]:
    """As `request_signature`, in the form of a registered signature."""
    taken = _taken(graph, signatures)
    specs = {name: field.spec for name, field, _ in taken}
    specs |= {name: field.spec for name, field, _ in taken if field.required}
    return {"inputs": list(specs.values()), "outputs": [field.spec for field in _outputs(graph, signatures)]}


def _outputs(graph: Graph, signatures: Mapping[str, AnySignature]) -> tuple[Field, ...]:
    ends = {name for node in graph.nodes.values() for name in _answers(node)}
    only = next(iter(ends)) if len(ends) == 1 else ""
    return signatures[only].outputs if only in signatures else ()


def _answers(node: Node) -> list[str]:
    """The nodes whose outputs are answers after this one; an empty name for an answer that is given."""
    return [
        goal.node if goal.aim.value == "output" else ""
        for goal in node.goals()
        if goal.aim.value in ("output", "constant")
    ]


def _taken(graph: Graph, signatures: Mapping[str, AnySignature]) -> list[tuple[str, Field, Node]]:
    return [
        (field.name, field, node)
        for node in graph.takers()
        if isinstance(signature := signatures[node.name], Signature)
        for field in signature.fields
        if node.sources == (REQUEST,) or not _is_given(field.name, node, graph, signatures)
    ]


def _is_given(column: str, node: Node, graph: Graph, signatures: Mapping[str, AnySignature]) -> bool:
    """Whether a node that is asked about the request and other outputs gets this column from those."""
    for name in node.sources:
        if name == REQUEST:
            continue
        source = graph.nodes[name]
        if column == name or (source.kind == COMBINER and column in source.sources):
            return True
        if name in signatures and any(field.name == column for field in signatures[name].outputs):
            return True
    return False


def misfits(graph: Graph, signatures: Mapping[str, AnySignature]) -> list[Problem]:
    """Where columns do not fit: what two nodes take of the request under one name, and what a node needs of another,
    as far as signatures tell."""
    problems: list[Problem] = []
    first: dict[str, tuple[Field, Node]] = {}
    for name, field, node in _taken(graph, signatures):
        other, owner = first.setdefault(name, (field, node))
        if (field.kind, field.dtype, field.shape) != (other.kind, other.dtype, other.shape):
            told = (
                f"Its column {name!r} is {field.kind}, that of {owner.name} is {other.kind}, and both take the request."
            )
            problems.append(Problem(f"nodes.{node.name}", told, "Register one of the versions with the other's types."))
    for node in graph.asked():
        if REQUEST not in node.sources and len(node.sources) == 1:
            problems += _misfits_of(node, node.sources[0], signatures)
    problems += _unknown_columns(graph, first, signatures)
    return problems


def _misfits_of(node: Node, source: str, signatures: Mapping[str, AnySignature]) -> list[Problem]:
    signature, giving = signatures[node.name], signatures.get(source)
    where = f"nodes.{node.name}.input"
    if giving is None or not giving.outputs or not isinstance(signature, Signature):
        return []
    given = {field.name: field for field in giving.outputs}
    named = all(field.name and not field.is_tensor and field.kind != "any" for field in giving.outputs)
    if not named or len(given) == 1 or len(signature.fields) == 1:
        return []
    problems = []
    for field in signature.fields:
        found = given.get(field.name)
        if found is None and field.required:
            told = f"It needs the column {field.name!r}, and {source} gives {', '.join(given)}."
            problems.append(Problem(where, told, "Let another node feed it, or add `request` to its `input`."))
        elif found is not None and found.kind != field.kind and not {found.kind, field.kind} <= _NUMBERS:
            told = f"Its column {field.name!r} is {field.kind}, and {source} gives {found.kind}."
            problems.append(Problem(where, told, "Let a transformer between them make the one of the other."))
    return problems


def _unknown_columns(graph: Graph, known: Mapping[str, Any], signatures: Mapping[str, AnySignature]) -> list[Problem]:
    if any(not isinstance(signatures[node.name], Signature) for node in graph.takers()):
        return []
    problems = []
    for node in graph.nodes.values():
        for condition in (condition for case in node.cases for condition in case.when):
            if condition.of == REQUEST and condition.name not in known:
                told = f"It asks for the column {condition.name!r} of the request, which has {', '.join(known)}."
                problems.append(Problem(f"nodes.{node.name}", told, "Name a column that a model of the graph takes."))
    return problems
