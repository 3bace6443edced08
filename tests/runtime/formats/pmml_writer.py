"""Writes fitted scikit-learn models as PMML documents, in the elements that exporters of R, Spark and others use."""

from typing import Any
from xml.sax.saxutils import quoteattr


def logistic(pipeline: Any, columns: Any) -> str:
    """A StandardScaler and a multinomial LogisticRegression: derived fields and softmax."""
    scaler, model = pipeline[0], pipeline[-1]
    derived, tables = [], []
    for name, mean, scale in zip(columns, scaler.mean_, scaler.scale_, strict=True):
        points = f'<LinearNorm orig="0" norm="{float(-mean / scale)!r}"/><LinearNorm orig="{float(mean)!r}" norm="0"/>'
        norm = f"<NormContinuous field={quoteattr(name)}>{points}</NormContinuous>"
        derived.append(f'<DerivedField name="{name}_z" optype="continuous" dataType="double">{norm}</DerivedField>')
    for label, intercept, weights in zip(model.classes_, model.intercept_, model.coef_, strict=True):
        parts = "".join(
            f'<NumericPredictor name="{name}_z" coefficient="{float(weight)!r}"/>'
            for name, weight in zip(columns, weights, strict=True)
        )
        tables.append(
            f'<RegressionTable intercept="{float(intercept)!r}" targetCategory="{label}">{parts}</RegressionTable>'
        )
    body = f"{_schema(columns)}<LocalTransformations>{''.join(derived)}</LocalTransformations>{''.join(tables)}"
    return _document(
        columns,
        model.classes_,
        f'<RegressionModel functionName="classification" normalizationMethod="softmax">{body}</RegressionModel>',
    )


def forest(model: Any, columns: Any) -> str:
    """A RandomForestClassifier: the average of trees that hold a distribution at each leaf."""
    segments = []
    for index, member in enumerate(model.estimators_):
        nodes = _node(member.tree_, 0, "<True/>", columns, model.classes_)
        tree = f'<TreeModel functionName="classification">{_schema(columns)}{nodes}</TreeModel>'
        segments.append(f'<Segment id="{index}"><True/>{tree}</Segment>')
    segmentation = f'<Segmentation multipleModelMethod="average">{"".join(segments)}</Segmentation>'
    body = f'<MiningModel functionName="classification">{_schema(columns)}{segmentation}</MiningModel>'
    return _document(columns, model.classes_, body)


def _node(tree: Any, number: int, predicate: str, columns: Any, classes: Any) -> str:
    if tree.children_left[number] == -1:
        counts = tree.value[number][0]
        parts = "".join(
            f'<ScoreDistribution value="{label}" recordCount="{float(count)!r}"/>'
            for label, count in zip(classes, counts, strict=True)
        )
        return f'<Node score="{classes[counts.argmax()]}">{predicate}{parts}</Node>'
    name, limit = columns[tree.feature[number]], float(tree.threshold[number])
    left, right = (
        _node(tree, child, f'<SimplePredicate field="{name}" operator="{kind}" value="{limit!r}"/>', columns, classes)
        for child, kind in ((tree.children_left[number], "lessOrEqual"), (tree.children_right[number], "greaterThan"))
    )
    return f"<Node>{predicate}{left}{right}</Node>"


def _schema(columns: Any) -> str:
    fields = "".join(f'<MiningField name="{name}"/>' for name in columns)
    return f'<MiningSchema>{fields}<MiningField name="kind" usageType="target"/></MiningSchema>'


def _document(columns: Any, classes: Any, body: str) -> str:
    fields = "".join(f'<DataField name="{name}" optype="continuous" dataType="double"/>' for name in columns)
    values = "".join(f'<Value value="{label}"/>' for label in classes)
    target = f'<DataField name="kind" optype="categorical" dataType="string">{values}</DataField>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?><PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4">'
        f"<Header/><DataDictionary>{fields}{target}</DataDictionary>{body}</PMML>"
    )
