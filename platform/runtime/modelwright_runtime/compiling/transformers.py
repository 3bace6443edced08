"""scikit-learn's transformers in double precision, operation by operation, so that thresholds behind them hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .borrowed import compute
from .graph import MISSING, Column, Graph, NotCompilableError

Columns = list[Column]

# From here on, whole numbers that differ are one and the same double.
_LARGEST_WHOLE = 2**53


def transform(graph: Graph, step: Any, columns: Columns) -> Columns:
    """What the fitted transformer makes of the columns. Raises `NotCompilableError`."""
    name = type(step).__name__
    if step is None or isinstance(step, str):
        return [] if step == "drop" else columns
    if not type(step).__module__.startswith("sklearn."):
        raise NotCompilableError(f"{name} is code of the project's own, which ONNX cannot say")
    found = _TRANSFORMERS.get(name)
    if found is not None:
        return found(graph, step, columns)
    if hasattr(step, "get_support"):
        return [column for column, kept in zip(columns, step.get_support(), strict=True) if kept]
    return graph.columns(compute(graph, step, numbers(graph, columns, name)))


def _pipeline(graph: Graph, step: Any, columns: Columns) -> Columns:
    for _, each in step.steps:
        columns = transform(graph, each, columns)
    return columns


def _union(graph: Graph, step: Any, columns: Columns) -> Columns:
    if step.transformer_weights:
        raise NotCompilableError("a FeatureUnion with weights has no exact counterpart in ONNX here")
    return [column for _, each in step.transformer_list for column in transform(graph, each, columns)]


def _column_transformer(graph: Graph, step: Any, columns: Columns) -> Columns:
    if step.transformer_weights:
        raise NotCompilableError("a ColumnTransformer with weights has no exact counterpart in ONNX here")
    made: Columns = []
    for name, each, _ in step.transformers_:
        picked = [columns[index] for index in step._transformer_to_input_indices[name]]
        if picked:
            made.extend(transform(graph, each, picked))
    return made


def _function(_: Graph, step: Any, columns: Columns) -> Columns:
    if step.func is not None:
        raise NotCompilableError("a FunctionTransformer runs code of the project's own, which ONNX cannot say")
    return columns


def numbers(graph: Graph, columns: Columns, name: str) -> str:
    """The columns as one value. Raises `NotCompilableError` when one of them is a text."""
    if any(column.is_text for column in columns):
        raise NotCompilableError(f"{name} is given texts")
    return graph.gather(columns)


def _standard(graph: Graph, step: Any, columns: Columns) -> Columns:
    value = numbers(graph, columns, "StandardScaler")
    value = _apply(graph, "Sub", value, step.mean_ if step.with_mean else None)
    value = _apply(graph, "Div", value, step.scale_ if step.with_std else None)
    graph.scale(value)
    return graph.columns(value)


def _robust(graph: Graph, step: Any, columns: Columns) -> Columns:
    value = numbers(graph, columns, "RobustScaler")
    value = _apply(graph, "Sub", value, step.center_ if step.with_centering else None)
    return graph.columns(_apply(graph, "Div", value, step.scale_ if step.with_scaling else None))


def _max_abs(graph: Graph, step: Any, columns: Columns) -> Columns:
    return graph.columns(_apply(graph, "Div", numbers(graph, columns, "MaxAbsScaler"), step.scale_))


def _min_max(graph: Graph, step: Any, columns: Columns) -> Columns:
    value = _apply(graph, "Mul", numbers(graph, columns, "MinMaxScaler"), step.scale_)
    value = _apply(graph, "Add", value, step.min_)
    if getattr(step, "clip", False):
        low, high = (graph.constant(float(bound)) for bound in step.feature_range)
        value = graph.add("Clip", value, low, high, width=len(columns))
    return graph.columns(value)


def _apply(graph: Graph, operator: str, value: str, by: Any) -> str:
    return value if by is None else graph.apply(operator, value, by)


def _pca(graph: Graph, step: Any, columns: Columns) -> Columns:
    if getattr(step, "whiten", False):
        raise NotCompilableError("a whitening PCA has no exact counterpart in ONNX here")
    value = _apply(graph, "Sub", numbers(graph, columns, type(step).__name__), getattr(step, "mean_", None))
    width = step.components_.shape[0]
    return graph.columns(graph.add("MatMul", value, graph.constant(step.components_.T), width=width))


def _binarizer(graph: Graph, step: Any, columns: Columns) -> Columns:
    value = numbers(graph, columns, "Binarizer")
    for index in range(len(columns)):
        graph.edge(value, index, float(step.threshold))
    above = graph.add("Greater", value, graph.constant(float(step.threshold)), width=len(columns))
    return graph.columns(graph.number(above))


def _normalizer(graph: Graph, step: Any, columns: Columns) -> Columns:
    value = numbers(graph, columns, "Normalizer")
    axis = graph.constant([1], "int64")
    if step.norm == "max":
        norm = graph.add("ReduceMax", graph.add("Abs", value, width=len(columns)), axis, width=1, keepdims=1)
    elif step.norm == "l1":
        norm = graph.add("ReduceSum", graph.add("Abs", value, width=len(columns)), axis, width=1, keepdims=1)
    else:
        squares = graph.add("Mul", value, value, width=len(columns))
        norm = graph.add("Sqrt", graph.add("ReduceSum", squares, axis, width=1, keepdims=1), width=1)
    # A row of zeros, or so near to it, stays as it is.
    least = 10 * float(graph.numpy.finfo("float64").eps)
    is_nothing = graph.add("Less", norm, graph.constant([least]), width=1)
    norm = graph.add("Where", is_nothing, graph.constant([1.0]), norm, width=1)
    return graph.columns(graph.add("Div", value, norm, width=len(columns)))


def _imputer(graph: Graph, step: Any, columns: Columns) -> Columns:
    missing = step.missing_values
    if step.add_indicator or not (missing is None or missing != missing or type(missing).__name__ == "NAType"):
        raise NotCompilableError(
            "a SimpleImputer with an indicator, or for other values than missing ones, is not known here"
        )
    made: Columns = []
    plain = [index for index, column in enumerate(columns) if not column.is_text]
    filled = iter(_fill_numbers(graph, [columns[i] for i in plain], [step.statistics_[i] for i in plain]))
    for index, column in enumerate(columns):
        made.append(_fill_text(graph, column, step.statistics_[index]) if column.is_text else next(filled))
    return made


def _fill_numbers(graph: Graph, columns: Columns, statistics: Sequence[Any]) -> Columns:
    if not columns:
        return []
    values = [float(value) for value in statistics]
    if any(value != value for value in values):
        raise NotCompilableError("a SimpleImputer drops a column in which every value was missing")
    value = graph.gather(columns)
    gone = graph.add("IsNaN", value, width=len(columns))
    filled = graph.add("Where", gone, graph.constant(values), value, width=len(columns))
    return graph.columns(graph.follow(filled, value))


def _fill_text(graph: Graph, column: Column, statistic: Any) -> Column:
    value = graph.gather([column])
    gone = graph.add("Equal", value, graph.constant([MISSING]), width=1)
    word = graph.constant([graph.word(str(statistic), column)])
    return Column(graph.follow(graph.add("Where", gone, word, value, width=1), value), 0, True)


def _one_hot(graph: Graph, step: Any, columns: Columns) -> Columns:
    if getattr(step, "_infrequent_enabled", False):
        raise NotCompilableError("a OneHotEncoder that gathers rare categories has no exact counterpart in ONNX here")
    sources: Columns = []
    wanted: list[float] = []
    for index, (column, categories) in enumerate(zip(columns, step.categories_, strict=True)):
        dropped = step.drop_idx_[index] if step.drop_idx_ is not None else None
        for place, category in enumerate(categories):
            if place != dropped:
                sources.append(column)
                wanted.append(_code(graph, column, category))
            elif column.is_text or not _is_missing(category):
                # It has no column of its own; the original takes it all the same.
                _code(graph, column, category)
    return graph.columns(_matches(graph, sources, wanted))


def _matches(graph: Graph, sources: Columns, wanted: Sequence[float]) -> str:
    """1 where a column has the value, else 0; one column for each pair."""
    value = graph.gather(sources)
    return graph.number(graph.add("Equal", value, graph.constant(list(wanted)), width=len(sources)))


def _is_missing(category: Any) -> bool:
    return bool(category is None or category != category)


def _code(graph: Graph, column: Column, category: Any) -> float:
    is_missing = _is_missing(category)
    if column.is_text:
        return MISSING if is_missing else graph.word(str(category), column)
    if is_missing or isinstance(category, str):
        raise NotCompilableError("an encoder has a category that its column's type cannot hold")
    if not isinstance(category, float) and abs(int(category)) >= _LARGEST_WHOLE:
        raise NotCompilableError(f"an encoder has the category {category}, which double precision cannot tell apart")
    graph.category(graph.gather([column]), 0, float(category))
    return float(category)


def _ordinal(graph: Graph, step: Any, columns: Columns) -> Columns:
    if getattr(step, "_infrequent_enabled", False):
        raise NotCompilableError("an OrdinalEncoder that gathers rare categories has no exact counterpart in ONNX here")
    unknown = float(step.unknown_value) if step.handle_unknown == "use_encoded_value" else 0.0
    made: Columns = []
    for column, categories in zip(columns, step.categories_, strict=True):
        known = [(place, each) for place, each in enumerate(categories) if not _is_missing(each)]
        hits = _matches(graph, [column] * len(known), [_code(graph, column, each) for _, each in known])
        places = graph.constant([[float(place)] for place, _ in known])
        place = graph.add("MatMul", hits, places, width=1)
        any_hit = graph.add("MatMul", hits, graph.constant([[1.0]] * len(known)), width=1)
        is_known = graph.add("Greater", any_hit, graph.constant([0.5]), width=1)
        value = graph.add("Where", is_known, place, graph.constant([unknown]), width=1)
        if len(known) < len(categories):
            value = _missing_as(graph, column, value, float(step.encoded_missing_value))
        made.extend(graph.columns(value))
    return made


def _missing_as(graph: Graph, column: Column, value: str, code: float) -> str:
    given = graph.gather([column])
    if column.is_text:
        gone = graph.add("Equal", given, graph.constant([MISSING]), width=1)
    else:
        gone = graph.add("IsNaN", given, width=1)
    return graph.add("Where", gone, graph.constant([code]), value, width=1)


def _bins(graph: Graph, step: Any, columns: Columns) -> Columns:
    made: Columns = []
    for column, edges in zip(columns, step.bin_edges_, strict=True):
        value = numbers(graph, [column], "KBinsDiscretizer")
        inner = [float(edge) for edge in edges[1:-1]]
        for edge in edges.tolist():
            graph.edge(value, 0, float(edge))
        reached = graph.number(graph.add("GreaterOrEqual", value, graph.constant(inner), width=len(inner)))
        place = graph.add("ReduceSum", reached, graph.constant([1], "int64"), width=1, keepdims=1)
        if step.encode == "ordinal":
            made.extend(graph.columns(place))
            continue
        codes = graph.constant([float(code) for code in range(len(inner) + 1)])
        hits = graph.add("Equal", place, codes, width=len(inner) + 1)
        made.extend(graph.columns(graph.number(hits)))
    return made


def _powers(graph: Graph, step: Any, columns: Columns) -> Columns:
    """Products of columns, those of one degree at once."""
    value = numbers(graph, columns, "PolynomialFeatures")
    given = graph.columns(value)
    factors = [[place for place, power in enumerate(each) for _ in range(power)] for each in step.powers_.tolist()]
    made: dict[int, Column] = {}
    for degree in sorted({len(each) for each in factors}):
        wanted = [number for number, each in enumerate(factors) if len(each) == degree]
        if degree == 0:
            first = graph.gather(given[:1])
            product = graph.number(graph.add("Equal", first, first, width=1))
        else:
            parts = [graph.gather([given[factors[number][i]] for number in wanted]) for i in range(degree)]
            product = parts[0]
            for part in parts[1:]:
                product = graph.add("Mul", product, part, width=len(wanted))
        made.update(zip(wanted, graph.columns(product), strict=False))
    return [made[number] for number in range(len(factors))]


_TRANSFORMERS: dict[str, Callable[[Graph, Any, Columns], Columns]] = {
    "Binarizer": _binarizer,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _union,
    "FunctionTransformer": _function,
    "KBinsDiscretizer": _bins,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "Normalizer": _normalizer,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "PCA": _pca,
    "Pipeline": _pipeline,
    "PolynomialFeatures": _powers,
    "RobustScaler": _robust,
    "SimpleImputer": _imputer,
    "StandardScaler": _standard,
    "TruncatedSVD": _pca,
}
