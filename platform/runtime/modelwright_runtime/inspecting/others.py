"""PMML documents, Spark pipelines, and classes of a project."""

from __future__ import annotations

from typing import Any

from .nodes import Described, Node, class_of, node, tally


def pmml(model: Any) -> Described:
    """A document by the kind of its model."""
    evaluator = model.evaluator
    element, root = evaluator.element, evaluator.root
    application = root.find("Header/Application")
    params: dict[str, Any] = {
        "function": element.get("functionName"),
        "PMML version": root.get("version"),
        "inputs": len(evaluator.inputs),
        "target": evaluator.target[0],
        "categories": [str(each) for each in evaluator.classes] or None,
    }
    if application is not None:
        params["written by"] = f"{application.get('name', '')} {application.get('version', '')}".strip()
    segments = element.findall("Segmentation/Segment")
    kinds = [child.tag for segment in segments for child in segment if child.find("MiningSchema") is not None]
    if segments:
        params["method"] = element.find("Segmentation").get("multipleModelMethod")
        params["models"] = tally(kinds)
    told = f"{element.tag} of {tally(kinds)}" if kinds else element.tag
    shown = {key: value for key, value in params.items() if value is not None}
    return Described(f"PMML {told}", node(f"PMML {element.tag}", "pmml", shown, members=len(segments) or None))


def spark(model: Any) -> Described:
    """A pipeline by its stages, any other model by its parameters."""
    stages = list(getattr(model, "stages", None) or [])
    last = type(stages[-1]).__name__ if stages else type(model).__name__
    return Described(f"Spark {last}", _stage(model))


def _stage(stage: Any) -> Node:
    stages = list(getattr(stage, "stages", None) or [])
    params: dict[str, Any] = {}
    try:
        # Which parameters somebody set is private; what differs from the default says the same.
        defined = [param for param in stage.params if stage.isDefined(param)]
        params = {
            param.name: stage.getOrDefault(param)
            for param in defined
            if not stage.hasDefault(param) or stage.isSet(param)
        }
    except Exception:
        params = {}
    children = [(str(index + 1), _stage(each)) for index, each in enumerate(stages)]
    return node(type(stage).__name__, class_of(stage), params, children=children)


def own_class(instance: Any) -> Described:
    """A class of a project: its name, and the first line of what it says of itself."""
    said = (type(instance).__doc__ or "").strip().splitlines()
    name = type(instance).__name__
    return Described(name, node(name, class_of(instance), {"says": said[0]} if said else {}))
