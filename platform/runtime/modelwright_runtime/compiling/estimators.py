"""scikit-learn's estimators in double precision: linear ones, trees and ensembles of trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .borrowed import classify, compute
from .graph import Graph, NotCompilableError
from .trees import Forest, grow, leaf_means


class Answer(NamedTuple):
    """What the output means: scores of `classes`, the largest of which is the label, or the prediction itself."""

    value: str
    classes: list[Any] | None = None
    # The first column is the number of the class, and probabilities may follow.
    has_label: bool = False


def estimate(graph: Graph, model: Any, value: str) -> Answer:
    """What the fitted estimator says about the columns of `value`. Raises `NotCompilableError`."""
    name = type(model).__name__
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list) or (classes is None and getattr(model, "n_outputs_", 1) != 1):
        raise NotCompilableError(f"{name} predicts several targets at once")
    if name not in _ESTIMATORS or not type(model).__module__.startswith("sklearn."):
        if classes is None:
            return Answer(compute(graph, model, value))
        said = classify(graph, model, value)
        return Answer(said.value, classes.tolist(), said.has_label)
    return Answer(_ESTIMATORS[name](graph, model, value), None if classes is None else classes.tolist())


def two_sided(graph: Graph, positive: str) -> str:
    """The probabilities of both classes from that of the second one."""
    other = graph.add("Sub", graph.constant([1.0]), positive, width=1)
    return graph.add("Concat", other, positive, width=2, axis=1)


def softmax(graph: Graph, value: str) -> str:
    """Probabilities from raw scores of at least two classes."""
    return graph.add("Softmax", value, width=graph.width(value), axis=1)


def sigmoid(graph: Graph, value: str) -> str:
    """The logistic function of each number."""
    return graph.add("Sigmoid", value, width=graph.width(value))


def _linear(graph: Graph, model: Any, value: str) -> str:
    numpy = graph.numpy
    weights = numpy.atleast_2d(model.coef_).T
    offset = numpy.broadcast_to(numpy.atleast_1d(model.intercept_), (weights.shape[1],))
    product = graph.add("MatMul", value, graph.constant(weights), width=weights.shape[1])
    return graph.add("Add", product, graph.constant(offset), width=weights.shape[1])


def _decision(graph: Graph, model: Any, value: str) -> str:
    """Scores of which the largest is the label, for classifiers that give no probabilities."""
    raw = _linear(graph, model, value)
    if graph.width(raw) > 1:
        return raw
    opposite = graph.add("Neg", raw, width=1)
    return graph.add("Concat", opposite, raw, width=2, axis=1)


def _logistic(graph: Graph, model: Any, value: str) -> str:
    raw = _linear(graph, model, value)
    if graph.width(raw) == 1:
        return two_sided(graph, sigmoid(graph, raw))
    if model.solver == "liblinear" or getattr(model, "multi_class", "") == "ovr":
        each = sigmoid(graph, raw)
        total = graph.add("ReduceSum", each, graph.constant([1], "int64"), width=1, keepdims=1)
        return graph.add("Div", each, total, width=graph.width(raw))
    return softmax(graph, raw)


def _layers(graph: Graph, model: Any, value: str) -> str:
    """A network's last layer before its activation."""
    last = len(model.coefs_) - 1
    for number, (weights, offset) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        width = weights.shape[1]
        value = graph.add("MatMul", value, graph.constant(weights), width=width)
        value = graph.add("Add", value, graph.constant(offset), width=width)
        if number < last and model.activation != "identity":
            activation = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}[model.activation]
            value = graph.add(activation, value, width=width)
    return value


def _network_classifier(graph: Graph, model: Any, value: str) -> str:
    raw = _layers(graph, model, value)
    return softmax(graph, raw) if model.out_activation_ == "softmax" else two_sided(graph, sigmoid(graph, raw))


def _tree_classifier(graph: Graph, model: Any, value: str) -> str:
    numpy = graph.numpy
    trees = [each.tree_ for each in getattr(model, "estimators_", [model])]
    shares = []
    for tree in trees:
        counts = numpy.asarray(tree.value[:, 0, :], dtype="float64")
        total = counts.sum(axis=1, keepdims=True)
        shares.append(counts / numpy.where(total == 0, 1.0, total))
    return leaf_means(graph, value, trees, shares)


def _tree_regressor(graph: Graph, model: Any, value: str) -> str:
    trees = [each.tree_ for each in getattr(model, "estimators_", [model])]
    return leaf_means(graph, value, trees, [tree.value[:, 0, :] for tree in trees])


def _boosted_raw(graph: Graph, model: Any, value: str) -> str:
    if not (model.init_ == "zero" or type(model.init_).__name__ in ("DummyClassifier", "DummyRegressor")):
        raise NotCompilableError(f"{type(model).__name__} begins with another estimator")
    forest = Forest()
    for stage in model.estimators_:
        for target, each in enumerate(stage):
            leaves = model.learning_rate * each.tree_.value[:, 0, 0]
            grow(forest, each.tree_, target, leaves.__getitem__)
    width = model.estimators_.shape[1]
    start = graph.numpy.ravel(model._raw_predict_init(graph.numpy.zeros((1, model.n_features_in_))))
    raw = forest.add_to(graph, graph.rounded(value), width)
    return graph.add("Add", raw, graph.constant(start), width=width)


def _boosted_classifier(graph: Graph, model: Any, value: str) -> str:
    raw = _boosted_raw(graph, model, value)
    if graph.width(raw) > 1:
        return softmax(graph, raw)
    if model.loss == "exponential":
        raw = graph.add("Mul", raw, graph.constant([2.0]), width=1)
    return two_sided(graph, sigmoid(graph, raw))


def _histogram_raw(graph: Graph, model: Any, value: str) -> str:
    forest = Forest()
    for stage in model._predictors:
        for target, predictor in enumerate(stage):
            _grow_histogram(forest, predictor.nodes, target)
    start = graph.numpy.ravel(model._baseline_prediction)
    raw = forest.add_to(graph, value, len(start))
    return graph.add("Add", raw, graph.constant(start), width=len(start))


def _grow_histogram(forest: Forest, nodes: Any, target: int) -> None:
    made: list[tuple[int, int]] = []
    for node in nodes:
        if node["is_leaf"]:
            made.append(forest.leaf(target, node["value"]))
        elif node["is_categorical"]:
            raise NotCompilableError("histogram boosting on categories as such has no exact counterpart in ONNX here")
        else:
            missing = bool(node["missing_go_to_left"])
            made.append((forest.split(node["feature_idx"], node["num_threshold"], missing_is_true=missing), 0))
    for (number, is_leaf), node in zip(made, nodes, strict=True):
        if not is_leaf:
            forest.true[number], forest.false[number] = made[node["left"]], made[node["right"]]
    forest.root(made[0])


def _histogram_classifier(graph: Graph, model: Any, value: str) -> str:
    raw = _histogram_raw(graph, model, value)
    return softmax(graph, raw) if graph.width(raw) > 1 else two_sided(graph, sigmoid(graph, raw))


def _histogram_regressor(graph: Graph, model: Any, value: str) -> str:
    raw = _histogram_raw(graph, model, value)
    return graph.add("Exp", raw, width=1) if model.loss in ("poisson", "gamma") else raw


_ESTIMATORS: dict[str, Callable[[Graph, Any, str], str]] = {
    **dict.fromkeys(("LogisticRegression", "LogisticRegressionCV"), _logistic),
    **dict.fromkeys(
        (
            "LinearSVC",
            "Perceptron",
            "PassiveAggressiveClassifier",
            "RidgeClassifier",
            "RidgeClassifierCV",
            "SGDClassifier",
        ),
        _decision,
    ),
    **dict.fromkeys(
        (
            *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lasso", "LassoCV"),
            *("LinearRegression", "LinearSVR", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor"),
        ),
        _linear,
    ),
    **dict.fromkeys(
        ("DecisionTreeClassifier", "ExtraTreeClassifier", "ExtraTreesClassifier", "RandomForestClassifier"),
        _tree_classifier,
    ),
    **dict.fromkeys(
        ("DecisionTreeRegressor", "ExtraTreeRegressor", "ExtraTreesRegressor", "RandomForestRegressor"),
        _tree_regressor,
    ),
    "MLPClassifier": _network_classifier,
    "MLPRegressor": _layers,
    "GradientBoostingClassifier": _boosted_classifier,
    "GradientBoostingRegressor": _boosted_raw,
    "HistGradientBoostingClassifier": _histogram_classifier,
    "HistGradientBoostingRegressor": _histogram_regressor,
}
