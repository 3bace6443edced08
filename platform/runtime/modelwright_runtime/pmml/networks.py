"""NeuralNetwork, ClusteringModel and NaiveBayesModel."""

from __future__ import annotations

import math
from collections.abc import Callable

from .document import Element, Fields, PmmlError, Row, Value, array, cast, need, number, only
from .expressions import first_expression
from .results import NOTHING, Compute, Result, logistic, most_probable, shares, softmax

_ACTIVATIONS: dict[str, Callable[[float], float]] = {
    "identity": lambda value: value,
    "logistic": logistic,
    "tanh": math.tanh,
    "rectifier": lambda value: max(value, 0.0),
    "exponential": math.exp,
    "sine": math.sin,
    "cosine": math.cos,
    "arctan": lambda value: 2 * math.atan(value) / math.pi,
    "square": lambda value: value * value,
    "Elliott": lambda value: value / (1 + abs(value)),
    "Gauss": lambda value: math.exp(-value * value),
}


def neural_network(element: Element, fields: Fields, target_type: str) -> Compute:
    """Layers of sums and activations; the outputs are read back through their transformations."""
    is_classification = only(element, "functionName", "", ("regression", "classification")) == "classification"
    inputs = []
    for each in element.iterfind("NeuralInputs/NeuralInput"):
        derived = each.find("DerivedField")
        if derived is None:
            raise PmmlError("a <NeuralInput> holds no <DerivedField>")
        inputs.append((need(each, "id"), first_expression(derived, fields)))
    layers = [_layer(layer, element) for layer in element.iterfind("NeuralLayer")]
    outputs = [_output(each, target_type) for each in element.iterfind("NeuralOutputs/NeuralOutput")]
    if not layers or not outputs:
        raise PmmlError("a <NeuralNetwork> needs layers and outputs")

    def compute(row: Row) -> Result:
        values: dict[str, float] = {}
        for name, expression in inputs:
            value = expression(row)
            if value is None:
                return NOTHING
            values[name] = float(value)
        for layer in layers:
            layer(values)
        if not is_classification:
            neuron, _, back = outputs[0]
            return Result(back(values[neuron]))
        return most_probable({category: values[neuron] for neuron, category, _ in outputs})

    return compute


def _layer(element: Element, network: Element) -> Callable[[dict[str, float]], None]:
    kind = element.get("activationFunction") or need(network, "activationFunction")
    if kind not in _ACTIVATIONS:
        raise PmmlError(f"the activation function {kind!r} is not supported")
    activate = _ACTIVATIONS[kind]
    default = network.get("normalizationMethod", "none")
    method = only(element, "normalizationMethod", default, ("none", "softmax", "simplemax"))
    neurons = [
        (
            need(each, "id"),
            number(each, "bias", 0.0),
            [(need(con, "from"), number(con, "weight")) for con in each.iterfind("Con")],
        )
        for each in element.iterfind("Neuron")
    ]

    def run(values: dict[str, float]) -> None:
        made = [activate(bias + sum(values[source] * weight for source, weight in cons)) for _, bias, cons in neurons]
        if method != "none":
            made = softmax(made) if method == "softmax" else shares(made)
        values.update(zip((name for name, _, _ in neurons), made, strict=True))

    return run


def _output(element: Element, target_type: str) -> tuple[str, Value, Callable[[float], float]]:
    neuron = need(element, "outputNeuron")
    inner = element.find("DerivedField/*")
    if inner is None:
        raise PmmlError("a <NeuralOutput> holds no expression")
    if inner.tag == "NormDiscrete":
        return neuron, cast(need(inner, "value"), target_type), lambda value: value
    if inner.tag == "FieldRef":
        return neuron, None, lambda value: value
    if inner.tag == "NormContinuous":
        points = [(number(each, "norm"), number(each, "orig")) for each in inner.iterfind("LinearNorm")]
        if len(points) == 2 and points[0][0] != points[1][0]:
            (x1, y1), (x2, y2) = points
            return neuron, None, lambda value: y1 + (value - x1) * (y2 - y1) / (x2 - x1)
    raise PmmlError(f"<{inner.tag}> in a <NeuralOutput> is not supported")


def clustering(element: Element, fields: Fields) -> Compute:
    """The nearest centre's id, or its number from 1."""
    only(element, "modelClass", "", ("centerBased",))
    measure = element.find("ComparisonMeasure")
    if measure is None or not len(measure):
        raise PmmlError("a <ClusteringModel> has no <ComparisonMeasure>")
    only(measure, "kind", "", ("distance",))
    only(measure, "compareFunction", "absDiff", ("absDiff",))
    distances: dict[str, Callable[[list[float]], float]] = {
        "squaredEuclidean": lambda parts: sum(part * part for part in parts),
        "euclidean": lambda parts: sum(part * part for part in parts),
        "cityBlock": sum,
        "chebychev": max,
    }
    distance = distances.get(measure[0].tag)
    if distance is None:
        raise PmmlError(f"the distance <{measure[0].tag}> is not supported")
    names = [need(each, "field") for each in element.iterfind("ClusteringField")]
    for each in element.iterfind("ClusteringField"):
        only(each, "compareFunction", "absDiff", ("absDiff",))
        number(each, "fieldWeight", 1.0)
        if number(each, "fieldWeight", 1.0) != 1:
            raise PmmlError("weights of clustering fields are not supported")
    for name in names:
        fields.type_of(name)
    centres = [
        (each.get("id") or str(index), [float(item) for item in array(each.find("Array"))])
        for index, each in enumerate(element.iterfind("Cluster"), start=1)
    ]
    if any(len(centre) != len(names) for _, centre in centres):
        raise PmmlError("a cluster's centre has another number of fields than the model")

    def compute(row: Row) -> Result:
        values = [row.get(name) for name in names]
        if None in values:
            return NOTHING
        return Result(min(centres, key=lambda c: distance([abs(a - b) for a, b in zip(values, c[1], strict=True)]))[0])

    return compute


def naive_bayes(element: Element, fields: Fields, target_type: str) -> Compute:
    """Counts of pairs, and normal distributions, for independent inputs."""
    floor = number(element, "threshold", 0.0)
    output = element.find("BayesOutput/TargetValueCounts")
    if output is None:
        raise PmmlError("a <NaiveBayesModel> has no <BayesOutput>")
    priors = {cast(need(each, "value"), target_type): number(each, "count") for each in output}
    inputs = [_bayes_input(each, fields, target_type, floor) for each in element.iterfind("BayesInputs/BayesInput")]

    def compute(row: Row) -> Result:
        logs = {category: math.log(count) for category, count in priors.items() if count > 0}
        for likelihood in inputs:
            for category in logs:
                logs[category] += likelihood(row, category)
        if all(value == -math.inf for value in logs.values()):
            return NOTHING
        return most_probable(dict(zip(logs, softmax(list(logs.values())), strict=True)))

    return compute


def _bayes_input(element: Element, fields: Fields, target_type: str, floor: float) -> Callable[[Row, Value], float]:
    name = need(element, "fieldName")
    if element.find("DerivedField") is not None:
        raise PmmlError("a <BayesInput> with a <DerivedField> is not supported")
    data_type = fields.type_of(name)
    gaussians = {
        cast(need(each, "value"), target_type): each.find("GaussianDistribution")
        for each in element.iterfind("TargetValueStats/TargetValueStat")
    }
    if gaussians:
        normals = {}
        for category, each in gaussians.items():
            if each is None:
                raise PmmlError("<TargetValueStat> is supported with a <GaussianDistribution>")
            normals[category] = (number(each, "mean"), number(each, "variance"))

        def density(row: Row, category: Value) -> float:
            value = row.get(name)
            if value is None:
                return 0.0
            mean, variance = normals[category]
            log: float = -((value - mean) ** 2) / (2 * variance) - 0.5 * math.log(2 * math.pi * variance)
            return max(log, math.log(floor)) if floor > 0 else log

        return density
    counts: dict[Value, dict[Value, float]] = {}
    for pair in element.iterfind("PairCounts"):
        counts[cast(need(pair, "value"), data_type)] = {
            cast(need(each, "value"), target_type): number(each, "count")
            for each in pair.iterfind("TargetValueCounts/TargetValueCount")
        }

    def share(row: Row, category: Value) -> float:
        value = row.get(name)
        if value is None or value not in counts:
            return 0.0
        total = sum(each.get(category, 0.0) for each in counts.values())
        part = counts[value].get(category, 0.0) / total if total else 0.0
        part = part or floor
        return math.log(part) if part > 0 else -math.inf

    return share
