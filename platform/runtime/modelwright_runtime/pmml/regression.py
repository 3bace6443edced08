"""RegressionModel, GeneralRegressionModel and Scorecard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .document import Element, Evaluate, Fields, PmmlError, Row, Value, cast, extensions_aside, need, number, only
from .expressions import first_expression
from .predicates import predicate_of
from .results import INVERSE_LINKS, NOTHING, Compute, Result, most_probable, shares, softmax

Sum = Callable[[Row], float | None]


def regression(element: Element, fields: Fields, target_type: str) -> Compute:
    """A RegressionModel. A missing number makes the result missing; a missing category counts for nothing."""
    is_classification = only(element, "functionName", "", ("regression", "classification")) == "classification"
    known = ("none", "softmax", "logit", "exp", "probit", "cloglog", "loglog", "cauchit", "simplemax")
    method = only(element, "normalizationMethod", "none", known)
    tables = element.findall("RegressionTable")
    sums = [_table(table, fields) for table in tables]
    if not is_classification:
        if len(tables) != 1:
            raise PmmlError("a regression needs exactly one <RegressionTable>")
        if method == "simplemax":
            raise PmmlError('normalizationMethod="simplemax" belongs to classifications')
        return _single(sums[0], INVERSE_LINKS[method])
    categories = [cast(need(table, "targetCategory"), target_type) for table in tables]
    if method not in ("none", "softmax", "simplemax") and len(tables) != 2:
        raise PmmlError(f'normalizationMethod="{method}" is supported for two categories')

    def compute(row: Row) -> Result:
        values = [each(row) for each in sums]
        if any(value is None for value in values):
            return NOTHING
        probabilities = _normalized([value for value in values if value is not None], method)
        return most_probable(dict(zip(categories, probabilities, strict=True)))

    return compute


def _single(total: Sum, inverse: Callable[[float], float]) -> Compute:
    def compute(row: Row) -> Result:
        value = total(row)
        return NOTHING if value is None else Result(inverse(value))

    return compute


def _normalized(values: list[float], method: str) -> list[float]:
    if method == "softmax":
        return softmax(values)
    if method == "simplemax":
        return shares(values)
    if method == "none":
        return [*values[:-1], 1 - sum(values[:-1])]
    first = INVERSE_LINKS[method](values[0])
    return [first, 1 - first]


def _table(element: Element, fields: Fields) -> Sum:
    intercept = number(element, "intercept", 0.0)
    terms: list[Sum] = []
    for child in extensions_aside(element):
        coefficient = number(child, "coefficient")
        if child.tag == "NumericPredictor":
            terms.append(_numeric(need(child, "name"), number(child, "exponent", 1.0), coefficient, fields))
        elif child.tag == "CategoricalPredictor":
            terms.append(_categorical(need(child, "name"), need(child, "value"), coefficient, fields))
        elif child.tag == "PredictorTerm":
            terms.append(_product([need(ref, "field") for ref in child.iterfind("FieldRef")], coefficient, fields))
        else:
            raise PmmlError(f"<{child.tag}> in a <RegressionTable> is not supported")

    def total(row: Row) -> float | None:
        result = intercept
        for term in terms:
            value = term(row)
            if value is None:
                return None
            result += value
        return result

    return total


def _numeric(name: str, exponent: float, coefficient: float, fields: Fields) -> Sum:
    fields.type_of(name)

    def term(row: Row) -> float | None:
        value = row.get(name)
        if value is None:
            return None
        return float(coefficient * (value if exponent == 1 else value**exponent))

    return term


def _categorical(name: str, text: str, coefficient: float, fields: Fields) -> Sum:
    wanted = cast(text, fields.type_of(name))
    return lambda row: coefficient if row.get(name) == wanted else 0.0


def _product(names: list[str], coefficient: float, fields: Fields) -> Sum:
    for name in names:
        fields.type_of(name)

    def term(row: Row) -> float | None:
        result = coefficient
        for name in names:
            value = row.get(name)
            if value is None:
                return None
            result *= value
        return result

    return term


def general_regression(element: Element, fields: Fields, target_type: str, target_values: list[Value]) -> Compute:
    """A GeneralRegressionModel of the kinds that linear, generalized linear and multinomial fits are exported as."""
    kinds = ("regression", "generalLinear", "generalizedLinear", "multinomialLogistic")
    kind = only(element, "modelType", "", kinds)
    is_classification = only(element, "functionName", "", ("regression", "classification")) == "classification"
    if element.get("offsetVariable") or element.get("trialsVariable") or element.get("cumulativeLink"):
        raise PmmlError("offset variables, trials variables and cumulative links are not supported")
    offset = number(element, "offsetValue", 0.0)
    products = _parameters(element, fields)
    betas = _betas(element, set(products))
    link = (
        only(element, "linkFunction", "identity", tuple(INVERSE_LINKS)) if kind == "generalizedLinear" else "identity"
    )

    def total(row: Row, weights: dict[str, float]) -> float | None:
        result = offset
        for name, beta in weights.items():
            value = products[name](row)
            if value is None:
                return None
            result += beta * value
        return result

    if not is_classification:
        if len(betas) != 1:
            raise PmmlError("a regression needs one set of parameters")
        weights = next(iter(betas.values()))
        return _single(lambda row: total(row, weights), INVERSE_LINKS[link])
    reference = element.get("targetReferenceCategory")
    given = [cast(category, target_type) for category in betas if category is not None]
    if kind == "generalizedLinear" and None in betas and len(target_values) == 2:
        given = [value for value in target_values if value != cast(reference, target_type)][-1:]
    others = [value for value in target_values if value not in given]
    last = cast(reference, target_type) if reference is not None else (others[0] if len(others) == 1 else None)
    if len(given) != len(betas) or last is None:
        raise PmmlError("the categories of the <ParamMatrix> do not fit those of the target")

    def compute(row: Row) -> Result:
        values = [total(row, weights) for weights in betas.values()]
        numbers = [value for value in values if value is not None]
        if len(numbers) != len(values):
            return NOTHING
        if kind == "generalizedLinear":
            first = INVERSE_LINKS[link](numbers[0])
            return most_probable({given[0]: first, last: 1 - first})
        return most_probable(dict(zip([*given, last], softmax([*numbers, 0.0]), strict=True)))

    return compute


def _parameters(element: Element, fields: Fields) -> dict[str, Sum]:
    """Each parameter as the product of its predictors, 1 for the intercept."""
    factors = {need(each, "name") for each in element.iterfind("FactorList/Predictor")}
    covariates = {need(each, "name") for each in element.iterfind("CovariateList/Predictor")}
    if element.find("FactorList/Predictor/Categories") is not None:
        raise PmmlError("<Categories> of a factor with a contrast matrix are not supported")
    cells: dict[str, list[Sum]] = {need(each, "name"): [] for each in element.iterfind("ParameterList/Parameter")}
    for cell in element.iterfind("PPMatrix/PPCell"):
        name, text = need(cell, "predictorName"), need(cell, "value")
        if name in factors:
            cells[need(cell, "parameterName")].append(_indicator(name, cast(text, fields.type_of(name))))
        elif name in covariates:
            cells[need(cell, "parameterName")].append(_numeric(name, float(text), 1.0, fields))
        else:
            raise PmmlError(f"the predictor {name!r} is neither factor nor covariate")
    return {name: _times(factors_of) for name, factors_of in cells.items()}


def _indicator(name: str, wanted: Value) -> Sum:
    def term(row: Row) -> float | None:
        value = row.get(name)
        return None if value is None else float(value == wanted)

    return term


def _times(terms: list[Sum]) -> Sum:
    def product(row: Row) -> float | None:
        result = 1.0
        for term in terms:
            value = term(row)
            if value is None:
                return None
            result *= value
        return result

    return product


def _betas(element: Element, known: set[str]) -> dict[Any, dict[str, float]]:
    betas: dict[Any, dict[str, float]] = {}
    for cell in element.iterfind("ParamMatrix/PCell"):
        name = need(cell, "parameterName")
        if name not in known:
            raise PmmlError(f"the parameter {name!r} is defined nowhere")
        betas.setdefault(cell.get("targetCategory"), {})[name] = number(cell, "beta")
    if not betas:
        raise PmmlError("the <ParamMatrix> is empty")
    return betas


def scorecard(element: Element, fields: Fields) -> Compute:
    """A Scorecard: the points of the first attribute that holds, of each characteristic."""
    only(element, "functionName", "regression", ("regression",))
    initial = number(element, "initialScore", 0.0)
    characteristics = []
    for each in element.iterfind("Characteristics/Characteristic"):
        attributes = [(predicate_of(a, fields), _points(a, fields)) for a in each.iterfind("Attribute")]
        characteristics.append((each.get("name", ""), attributes))

    def compute(row: Row) -> Result:
        total = initial
        for name, attributes in characteristics:
            points = next((points for test, points in attributes if test(row)), None)
            if points is None:
                raise PmmlError(f"no attribute of the characteristic {name!r} fits the record")
            value = points(row)
            if value is None:
                return NOTHING
            total += value
        return Result(total)

    return compute


def _points(attribute: Element, fields: Fields) -> Evaluate:
    inner = attribute.find("ComplexPartialScore")
    if inner is not None:
        return first_expression(inner, fields)
    value = number(attribute, "partialScore")
    return lambda _: value
