"""Any model element as a function of a row: its mining schema, transformations, targets, and models inside models."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from . import networks, regression, trees
from .document import DataField, Element, Evaluate, Fields, PmmlError, Row, Value, cast, need, number, only
from .expressions import derived_fields, first_expression
from .predicates import Test, predicate_of
from .results import NOTHING, Compute, Result, most_probable

KINDS = (
    "RegressionModel", "GeneralRegressionModel", "TreeModel", "MiningModel", "Scorecard", "NeuralNetwork",
    "ClusteringModel", "NaiveBayesModel",
)  # fmt: skip


class MiningField(NamedTuple):
    """What a model says of one of its inputs."""

    name: str
    replacement: Value
    invalid: str
    invalid_replacement: Value
    outliers: str
    low: float
    high: float

    @property
    def changes_values(self) -> bool:
        """Whether it does anything to a value that is valid or missing."""
        return self.replacement is not None or self.outliers != "asIs"

    def treat(self, value: Value) -> Value:
        """The value after outliers and missing ones are treated."""
        if value is not None and self.outliers != "asIs" and not self.low <= value <= self.high:
            value = None if self.outliers == "asMissingValues" else min(max(value, self.low), self.high)
        return self.replacement if value is None else value


@dataclass(frozen=True)
class Model:
    """A compiled model element. `outputs` are the fields that a chain hands on."""

    kind: str
    inputs: tuple[MiningField, ...]
    target: str | None
    target_type: str
    categories: tuple[Value, ...]
    local: dict[str, Evaluate]
    compute: Compute
    finish: Callable[[Result], Result]
    outputs: tuple[tuple[str, Callable[[Row, Result], Value]], ...]

    def evaluate(self, row: Row) -> Result:
        """The result for a row whose values have their fields' types."""
        changing = [field for field in self.inputs if field.changes_values]
        if changing or self.local:
            row = Row(dict(row.values), {**row.derived, **self.local})
            for field in changing:
                row.values[field.name] = field.treat(row.get(field.name))
        return self.finish(self.compute(row))


def find_model(root: Element) -> Element:
    """The model of a document. Raises `PmmlError` when there is none that is supported."""
    models = [child for child in root if child.tag.endswith("Model") or child.tag in KINDS]
    models = models or [child for child in root if child.find("MiningSchema") is not None]
    usable = [model for model in models if model.get("isScorable") != "false"]
    if not usable:
        raise PmmlError("the document holds no model")
    return usable[0]


def compile_model(element: Element, fields: Fields, data: dict[str, DataField], outer_type: str = "double") -> Model:
    """A model element. `outer_type` is the type of the target where the element names none of its own."""
    if element.tag not in KINDS:
        raise PmmlError(f"<{element.tag}> is not supported; supported are {', '.join(KINDS)}")
    schema = element.find("MiningSchema")
    inputs, target = _schema(schema if schema is not None else element, fields)
    target_field = data.get(target) if target else None
    target_type = target_field.data_type if target_field else outer_type
    local, seen = derived_fields(element.find("LocalTransformations"), fields)
    categories = list(target_field.valid) if target_field else []
    return Model(
        kind=element.tag,
        inputs=inputs,
        target=target,
        target_type=target_type,
        categories=tuple(categories),
        local=local,
        compute=_compute(element, seen, data, target_type, categories),
        finish=_targets(element, target),
        outputs=_outputs(element, seen),
    )


def _compute(
    element: Element, fields: Fields, data: dict[str, DataField], target_type: str, categories: list[Value]
) -> Compute:
    if element.tag == "MiningModel":
        return _mining(element, fields, data, target_type)
    if element.tag == "RegressionModel":
        return regression.regression(element, fields, target_type)
    if element.tag == "GeneralRegressionModel":
        return regression.general_regression(element, fields, target_type, categories)
    if element.tag == "TreeModel":
        return trees.tree(element, fields, target_type)
    if element.tag == "Scorecard":
        return regression.scorecard(element, fields)
    if element.tag == "NeuralNetwork":
        return networks.neural_network(element, fields, target_type)
    if element.tag == "NaiveBayesModel":
        return networks.naive_bayes(element, fields, target_type)
    return networks.clustering(element, fields)


def _schema(schema: Element, fields: Fields) -> tuple[tuple[MiningField, ...], str | None]:
    inputs, target = [], None
    for each in schema.iterfind("MiningField"):
        name, usage = need(each, "name"), each.get("usageType", "active")
        if usage in ("target", "predicted"):
            target = target or name
            continue
        if usage != "active":
            continue
        kind = fields.type_of(name)
        only(each, "missingValueTreatment", "asIs", ("asIs", "asMean", "asMode", "asMedian", "asValue"))
        inputs.append(
            MiningField(
                name=name,
                replacement=cast(each.get("missingValueReplacement"), kind),
                invalid=only(
                    each, "invalidValueTreatment", "returnInvalid", ("returnInvalid", "asIs", "asMissing", "asValue")
                ),
                invalid_replacement=cast(each.get("invalidValueReplacement"), kind),
                outliers=only(each, "outliers", "asIs", ("asIs", "asMissingValues", "asExtremeValues")),
                low=number(each, "lowValue", -math.inf),
                high=number(each, "highValue", math.inf),
            )
        )
    return tuple(inputs), target


def _targets(element: Element, target: str | None) -> Callable[[Result], Result]:
    for each in element.iterfind("Targets/Target"):
        if each.get("field") not in (None, target):
            continue
        if each.find("TargetValue[@priorProbability]") is not None:
            raise PmmlError("prior probabilities of a <Target> are not supported")
        default = next((number(v, "defaultValue") for v in each.iterfind("TargetValue[@defaultValue]")), None)
        factor, constant = number(each, "rescaleFactor", 1.0), number(each, "rescaleConstant", 0.0)
        bounds = number(each, "min", -math.inf), number(each, "max", math.inf)
        integer = only(each, "castInteger", "", ("", "round", "ceiling", "floor"))
        whole: Callable[[float], float] = {
            "": lambda value: value,
            "round": lambda value: math.floor(value + 0.5),
            "ceiling": math.ceil,
            "floor": math.floor,
        }[integer]
        return _rescaled(default, bounds, factor, constant, whole)
    return lambda result: result


def _rescaled(
    default: float | None, bounds: tuple[float, float], factor: float, constant: float, whole: Callable[[float], float]
) -> Callable[[Result], Result]:
    low, high = bounds

    def finish(result: Result) -> Result:
        value = default if result.value is None else result.value
        if not isinstance(value, (int, float)) or isinstance(value, bool) or result.probabilities:
            return result
        return Result(whole(min(max(value, low), high) * factor + constant))

    return finish


def _outputs(element: Element, fields: Fields) -> tuple[tuple[str, Callable[[Row, Result], Value]], ...]:
    """Output fields that a chain may use; others are left out, and whoever uses one is refused."""
    made: list[tuple[str, Callable[[Row, Result], Value]]] = []
    for each in element.iterfind("Output/OutputField"):
        name, feature, value = need(each, "name"), each.get("feature", "predictedValue"), each.get("value")
        if each.get("segmentId") is not None:
            continue
        if feature == "predictedValue":
            made.append((name, lambda _, result: result.value))
        elif feature == "probability":
            made.append((name, _probability(value)))
        elif feature == "transformedValue":
            seen = fields.and_more({known: "double" for known, _ in made})
            try:
                made.append((name, _transformed(first_expression(each, seen), each.get("dataType"))))
            except PmmlError:
                continue
    return tuple(made)


def _probability(category: str | None) -> Callable[[Row, Result], Value]:
    def probability(_: Row, result: Result) -> Value:
        if category is None:
            return result.probabilities.get(result.value)
        return next((share for key, share in result.probabilities.items() if cast(key, "string") == category), None)

    return probability


def _transformed(expression: Evaluate, data_type: str | None) -> Callable[[Row, Result], Value]:
    def transformed(row: Row, _: Result) -> Value:
        value = expression(row)
        return value if data_type is None else cast(value, data_type)

    return transformed


class _Segment(NamedTuple):
    test: Test
    model: Model
    weight: float


def _mining(element: Element, fields: Fields, data: dict[str, DataField], target_type: str) -> Compute:
    segmentation = element.find("Segmentation")
    if segmentation is None:
        raise PmmlError("a <MiningModel> without a <Segmentation> is not supported")
    for embedded in ("Regression", "DecisionTree"):
        if element.find(embedded) is not None:
            raise PmmlError(f"<{embedded}> in a <MiningModel> is not supported")
    method = only(segmentation, "multipleModelMethod", "", (*_COMBINE, "selectFirst", "modelChain"))
    only(segmentation, "missingPredictionTreatment", "continue", ("continue", "skipSegment", "returnMissing"))
    skips = segmentation.get("missingPredictionTreatment") == "skipSegment"
    segments = []
    for each in segmentation.iterfind("Segment"):
        inner = next((child for child in each if child.find("MiningSchema") is not None), None)
        if inner is None:
            raise PmmlError("a <Segment> holds no model")
        is_number = method == "modelChain" and inner.get("functionName") == "regression"
        model = compile_model(inner, fields, data, "double" if is_number else target_type)
        segments.append(_Segment(predicate_of(each, fields), model, number(each, "weight", 1.0)))
        if method == "modelChain":
            types = {need(f, "name"): f.get("dataType") or "double" for f in inner.iterfind("Output/OutputField")}
            fields = fields.and_more({name: types[name] for name, _ in model.outputs})
    if method == "selectFirst":
        return lambda row: next((each.model.evaluate(row) for each in segments if each.test(row)), NOTHING)
    if method == "modelChain":
        return _chain(segments)
    combine = _COMBINE[method]

    def compute(row: Row) -> Result:
        results = [(each.model.evaluate(row), each.weight) for each in segments if each.test(row)]
        there = [(result, weight) for result, weight in results if result.value is not None]
        return NOTHING if not there or (len(there) < len(results) and not skips) else combine(there)

    return compute


def _chain(segments: Sequence[_Segment]) -> Compute:
    def compute(row: Row) -> Result:
        row, result = Row(dict(row.values), row.derived), NOTHING
        for each in segments:
            if each.test(row):
                result = each.model.evaluate(row)
                for name, output in each.model.outputs:
                    row.values[name] = output(row, result)
        return result

    return compute


Weighted = list[tuple[Result, float]]


def _vote(results: Weighted) -> Result:
    votes: dict[Value, float] = {}
    for result, weight in results:
        votes[result.value] = votes.get(result.value, 0.0) + weight
    total = sum(votes.values())
    return most_probable({value: count / total for value, count in votes.items()})


def _mean(results: Weighted) -> Result:
    total = sum(weight for _, weight in results)
    if not any(result.probabilities for result, _ in results):
        return Result(sum(result.value * weight for result, weight in results) / total)
    added: dict[Value, float] = {}
    for result, weight in results:
        for category, share in result.probabilities.items():
            added[category] = added.get(category, 0.0) + share * weight
    return most_probable({category: share / total for category, share in added.items()})


def _added(results: Weighted) -> Result:
    return Result(sum(result.value * weight for result, weight in results))


def _unweighted(combine: Callable[[Weighted], Result]) -> Callable[[Weighted], Result]:
    return lambda results: combine([(result, 1.0) for result, _ in results])


_COMBINE: dict[str, Callable[[Weighted], Result]] = {
    "majorityVote": _unweighted(_vote),
    "weightedMajorityVote": _vote,
    "average": _unweighted(_mean),
    "weightedAverage": _mean,
    "sum": _unweighted(_added),
    "weightedSum": _added,
    "median": lambda results: Result(statistics.median(result.value for result, _ in results)),
    "max": lambda results: Result(max(result.value for result, _ in results)),
}
