"""XGBoost's and LightGBM's trees, read from what the libraries themselves say of them."""

from __future__ import annotations

import json
import math
from typing import Any

from .estimators import Answer, sigmoid, softmax, two_sided
from .graph import Graph, NotCompilableError
from .trees import LT, Forest


def is_booster(model: Any) -> bool:
    """Whether it is a model of one of the two libraries."""
    return type(model).__module__.partition(".")[0] in ("xgboost", "lightgbm")


def boosted(graph: Graph, model: Any, value: str) -> Answer:
    """What the boosted trees say about the columns of `value`. Raises `NotCompilableError`."""
    if type(model).__module__.startswith("xgboost"):
        return _xgboost(graph, model, value)
    return _lightgbm(graph, model, value)


def _xgboost(graph: Graph, model: Any, value: str) -> Answer:
    missing = getattr(model, "missing", math.nan)
    if missing is not None and missing == missing:
        raise NotCompilableError(f"the model takes {missing} for a missing value")
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    learner = json.loads(booster.save_raw(raw_format="json"))["learner"]
    inner, objective = learner["gradient_booster"], learner["objective"]["name"]
    if inner.get("name") != "gbtree":
        raise NotCompilableError(f"boosting of the kind {inner.get('name')!r} has no exact counterpart in ONNX here")
    facts = learner["learner_model_param"]
    targets = max(int(facts.get("num_class", 0)), int(facts.get("num_target", 1)), 1)
    forest = Forest(mode=LT)
    rounds = _rounds(model)
    for number, (tree, target) in enumerate(zip(inner["model"]["trees"], inner["model"]["tree_info"], strict=True)):
        per_round = targets * max(int(inner["model"]["gbtree_model_param"].get("num_parallel_tree", 1)), 1)
        if rounds is None or number < rounds * per_round:
            _grow_xgboost(forest, tree, int(target))
    raw = forest.add_to(graph, graph.rounded(value), targets)
    start = _start(facts["base_score"], objective, targets)
    raw = graph.add("Add", raw, graph.constant(start), width=targets)
    classes = _classes(model)
    if objective in ("binary:logistic", "reg:logistic"):
        chance = sigmoid(graph, raw)
        return Answer(two_sided(graph, chance), classes) if classes else Answer(chance)
    if objective in ("multi:softprob", "multi:softmax"):
        if classes is None and objective == "multi:softmax":
            classes = [float(each) for each in range(targets)]
        return Answer(softmax(graph, raw), classes)
    if classes:
        raise NotCompilableError(f"a classifier with the objective {objective!r} has no exact counterpart in ONNX here")
    if objective in ("count:poisson", "reg:gamma", "reg:tweedie"):
        return Answer(graph.add("Exp", raw, width=targets))
    if objective in ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror"):
        return Answer(raw)
    raise NotCompilableError(f"the objective {objective!r} has no exact counterpart in ONNX here")


def _rounds(model: Any) -> int | None:
    try:
        best = getattr(model, "best_iteration", None) if hasattr(model, "get_booster") else None
    except AttributeError:
        return None
    return None if best is None else int(best) + 1


def _start(said: str, objective: str, targets: int) -> list[float]:
    values = [float(each) for each in str(said).strip("[]").split(",")]
    values = values * targets if len(values) == 1 else values
    if objective in ("binary:logistic", "reg:logistic"):
        return [math.log(each / (1.0 - each)) for each in values]
    if objective in ("count:poisson", "reg:gamma", "reg:tweedie"):
        return [math.log(each) for each in values]
    return values


def _grow_xgboost(forest: Forest, tree: dict[str, Any], target: int) -> None:
    left, right = tree["left_children"], tree["right_children"]
    if any(tree.get("split_type", ())):
        raise NotCompilableError("XGBoost on categories as such has no exact counterpart in ONNX here")
    made: list[tuple[int, int]] = []
    for node, child in enumerate(left):
        if child == -1:
            made.append(forest.leaf(target, tree["split_conditions"][node]))
        else:
            missing = bool(tree["default_left"][node])
            threshold = _single(tree["split_conditions"][node])
            made.append((forest.split(tree["split_indices"][node], threshold, missing_is_true=missing), 0))
    for node, child in enumerate(left):
        if child != -1:
            forest.true[made[node][0]], forest.false[made[node][0]] = made[child], made[right[node]]
    forest.root(made[0])


def _single(value: float) -> float:
    import numpy

    return float(numpy.float32(value))


def _classes(model: Any) -> list[Any] | None:
    classes = getattr(model, "classes_", None) if hasattr(model, "predict_proba") else None
    return None if classes is None else list(classes.tolist())


def _lightgbm(graph: Graph, model: Any, value: str) -> Answer:
    booster = getattr(model, "booster_", model)
    said = booster.dump_model()
    targets = int(said["num_tree_per_iteration"])
    forest = Forest()
    for number, tree in enumerate(said["tree_info"]):
        forest.root(_grow_lightgbm(forest, tree["tree_structure"], number % targets))
    raw = forest.add_to(graph, value, targets)
    if said.get("average_output"):
        raw = graph.add("Div", raw, graph.constant(float(len(said["tree_info"]) // targets)), width=targets)
    objective, *options = str(said.get("objective", "")).split(" ")
    classes = _classes(model)
    if objective == "binary":
        slope = next((float(each.partition(":")[2]) for each in options if each.startswith("sigmoid:")), 1.0)
        if slope != 1.0:
            raw = graph.add("Mul", raw, graph.constant([slope]), width=1)
        chance = sigmoid(graph, raw)
        return Answer(two_sided(graph, chance), classes) if classes else Answer(chance)
    if objective == "multiclass":
        return Answer(softmax(graph, raw), classes)
    if classes:
        raise NotCompilableError(f"a classifier with the objective {objective!r} has no exact counterpart in ONNX here")
    if objective in ("poisson", "gamma", "tweedie"):
        return Answer(graph.add("Exp", raw, width=targets))
    if objective in ("regression", "regression_l1", "huber", "fair", "quantile", "mape") and "sqrt" not in options:
        return Answer(raw)
    raise NotCompilableError(f"the objective {objective!r} has no exact counterpart in ONNX here")


def _grow_lightgbm(forest: Forest, node: dict[str, Any], target: int) -> tuple[int, int]:
    if "leaf_coeff" in node:
        raise NotCompilableError("LightGBM's linear trees have no exact counterpart in ONNX here")
    if "leaf_value" in node:
        return forest.leaf(target, node["leaf_value"])
    kind, threshold = node["missing_type"], node["threshold"]
    if node["decision_type"] != "<=" or kind == "Zero":
        raise NotCompilableError("LightGBM on categories as such, or with zero for missing, is not known here")
    # Without missing values in training, one is taken for zero.
    missing = bool(node["default_left"]) if kind == "NaN" else threshold >= 0.0
    number = forest.split(node["split_feature"], threshold, missing_is_true=missing)
    forest.true[number] = _grow_lightgbm(forest, node["left_child"], target)
    forest.false[number] = _grow_lightgbm(forest, node["right_child"], target)
    return number, 0
