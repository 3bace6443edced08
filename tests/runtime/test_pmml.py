"""The evaluator of PMML documents, by small documents whose answers can be worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from modelwright_runtime.pmml.document import PmmlError
from modelwright_runtime.pmml.evaluator import Evaluator
from modelwright_runtime.server.formats.pmml import predictor

FIELDS = (
    '<DataDictionary><DataField name="age" optype="continuous" dataType="integer">'
    '<Interval closure="closedClosed" leftMargin="0" rightMargin="120"/></DataField>'
    '<DataField name="income" optype="continuous" dataType="double"/>'
    '<DataField name="town" optype="categorical" dataType="string"><Value value="Bonn"/><Value value="Ulm"/>'
    "</DataField>"
    '<DataField name="y" optype="categorical" dataType="string"><Value value="no"/><Value value="yes"/></DataField>'
    "</DataDictionary>"
)
SCHEMA = (
    '<MiningSchema><MiningField name="age"/><MiningField name="income"/><MiningField name="town"/>'
    '<MiningField name="y" usageType="target"/></MiningSchema>'
)
ANN = {"age": 40, "income": 1000.0, "town": "Ulm"}


def document(body: str, before: str = "", schema: str = SCHEMA) -> Evaluator:
    """The evaluator of a model element whose mining schema stands at `{schema}`."""
    text = f'<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/>{FIELDS}{before}{body}</PMML>'
    return Evaluator(text.replace("{schema}", schema).encode())


def regression(table: str, transformations: str = "", schema: str = SCHEMA, more: str = "") -> Evaluator:
    return document(
        f'<RegressionModel functionName="regression">{{schema}}{more}{transformations}'
        f'<RegressionTable intercept="1">{table}</RegressionTable></RegressionModel>',
        schema=schema,
    )


def derived(expression: str) -> str:
    return (
        '<LocalTransformations><DerivedField name="d" optype="continuous" dataType="double">'
        f"{expression}</DerivedField></LocalTransformations>"
    )


def test_a_regression_adds_numbers_categories_and_products() -> None:
    model = regression(
        '<NumericPredictor name="age" exponent="2" coefficient="0.5"/>'
        '<CategoricalPredictor name="town" value="Ulm" coefficient="7"/>'
        '<PredictorTerm coefficient="0.001"><FieldRef field="age"/><FieldRef field="income"/></PredictorTerm>'
    )
    assert model.evaluate(ANN).value == 1 + 800 + 7 + 40
    assert model.evaluate({**ANN, "age": None}).value is None


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            '<NormContinuous field="age"><LinearNorm orig="0" norm="0"/><LinearNorm orig="80" norm="1"/>'
            "</NormContinuous>",
            0.5,
        ),
        ('<NormDiscrete field="town" value="Ulm"/>', 1.0),
        (
            '<Discretize field="age" defaultValue="9"><DiscretizeBin binValue="3">'
            '<Interval closure="closedOpen" leftMargin="40" rightMargin="50"/></DiscretizeBin></Discretize>',
            3.0,
        ),
        (
            '<MapValues outputColumn="out"><FieldColumnPair field="town" column="in"/><InlineTable>'
            "<row><in>Bonn</in><out>1</out></row><row><in>Ulm</in><out>2</out></row></InlineTable></MapValues>",
            2.0,
        ),
        ('<Apply function="ln"><FieldRef field="income"/></Apply>', math.log(1000)),
        (
            '<Apply function="if"><Apply function="greaterThan"><FieldRef field="age"/><Constant>30</Constant></Apply>'
            "<Constant>5</Constant><Constant>6</Constant></Apply>",
            5.0,
        ),
    ],
)  # fmt: skip
def test_fields_are_derived_by_every_kind_of_expression(expression: str, expected: float) -> None:
    model = regression('<NumericPredictor name="d" coefficient="1"/>', derived(expression))
    assert model.evaluate(ANN).value == pytest.approx(1 + expected)


def test_missing_invalid_and_extreme_values_are_treated_as_the_schema_says() -> None:
    schema = (
        '<MiningSchema><MiningField name="age" missingValueReplacement="30" invalidValueTreatment="asMissing"/>'
        '<MiningField name="income" outliers="asExtremeValues" lowValue="0" highValue="500"/></MiningSchema>'
    )
    table = '<NumericPredictor name="age" coefficient="1"/><NumericPredictor name="income" coefficient="1"/>'
    model = regression(table, schema=schema)
    assert model.evaluate({"age": None, "income": 9999.0}).value == 1 + 30 + 500
    assert model.evaluate({"age": 999, "income": -5.0}).value == 1 + 30 + 0
    assert [required for _, _, required in model.inputs] == [False, True]
    with pytest.raises(PmmlError, match="age does not take the value 999"):
        regression(table).evaluate({**ANN, "age": 999})
    with pytest.raises(PmmlError, match="income takes a double"):
        regression(table).evaluate({**ANN, "income": "much"})


def test_a_target_is_rescaled() -> None:
    targets = '<Targets><Target field="y" rescaleFactor="2" rescaleConstant="3" castInteger="round"/></Targets>'
    assert regression('<NumericPredictor name="age" coefficient="0.01"/>', more=targets).evaluate(ANN).value == 6


TREE = (
    '<TreeModel functionName="classification" missingValueStrategy="{strategy}">{schema}<Node id="0" defaultChild="2">'
    '<True/><ScoreDistribution value="no" recordCount="6"/><ScoreDistribution value="yes" recordCount="4"/>'
    '<Node id="1"><SimplePredicate field="age" operator="lessThan" value="30"/>'
    '<ScoreDistribution value="no" recordCount="5"/></Node>'
    '<Node id="2" score="yes"><CompoundPredicate booleanOperator="and">'
    '<SimplePredicate field="age" operator="greaterOrEqual" value="30"/>'
    '<SimpleSetPredicate field="town" booleanOperator="isIn"><Array type="string" n="2">"Ulm" "Bonn"</Array>'
    '</SimpleSetPredicate></CompoundPredicate><ScoreDistribution value="no" recordCount="1"/>'
    '<ScoreDistribution value="yes" recordCount="3"/></Node></Node></TreeModel>'
)


def test_a_tree_answers_with_the_distribution_of_its_leaf() -> None:
    model = document(TREE.replace("{strategy}", "none"))
    assert model.evaluate(ANN) == ("yes", {"no": 0.25, "yes": 0.75})
    assert model.evaluate({**ANN, "age": 20}) == ("no", {"no": 1.0})
    assert model.classes == ["no", "yes"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("none", None), ("nullPrediction", None), ("lastPrediction", "no"), ("defaultChild", "yes")],
)
def test_a_tree_meets_a_missing_value_as_its_strategy_says(strategy: str, expected: Any) -> None:
    assert document(TREE.replace("{strategy}", strategy)).evaluate({**ANN, "age": None}).value == expected


def test_a_chain_hands_outputs_on_as_boosted_trees_need_it() -> None:
    def tree(low: float, high: float) -> str:
        leaf = '<Node score="{}"><SimplePredicate field="age" operator="{}" value="30"/></Node>'
        nodes = leaf.format(low, "lessThan") + leaf.format(high, "greaterOrEqual")
        return (
            f'<Segment><True/><TreeModel functionName="regression">{{schema}}<Node><True/>{nodes}</Node>'
            "</TreeModel></Segment>"
        )

    model = document(
        '<MiningModel functionName="classification">{schema}<Segmentation multipleModelMethod="modelChain">'
        '<Segment><True/><MiningModel functionName="regression">{schema}'
        '<Output><OutputField name="score" dataType="double" optype="continuous"/></Output>'
        f'<Segmentation multipleModelMethod="sum">{tree(-1, 1)}{tree(-0.5, 0.25)}</Segmentation>'
        "</MiningModel></Segment>"
        '<Segment><True/><RegressionModel functionName="classification" normalizationMethod="logit">'
        '<MiningSchema><MiningField name="score"/><MiningField name="y" usageType="target"/></MiningSchema>'
        '<RegressionTable targetCategory="yes"><NumericPredictor name="score" coefficient="1"/></RegressionTable>'
        '<RegressionTable targetCategory="no"/></RegressionModel></Segment></Segmentation></MiningModel>'
    )
    result = model.evaluate(ANN)
    assert result.value == "yes"
    assert result.probabilities == pytest.approx({"yes": 1 / (1 + math.exp(-1.25)), "no": 1 / (1 + math.exp(1.25))})
    assert model.evaluate({**ANN, "age": 10}).value == "no"


def test_a_scorecard_gives_the_points_of_the_first_attribute_that_holds() -> None:
    model = document(
        '<Scorecard functionName="regression" initialScore="10">{schema}<Characteristics><Characteristic name="age">'
        '<Attribute partialScore="5"><SimplePredicate field="age" operator="lessThan" value="30"/></Attribute>'
        '<Attribute partialScore="20"><True/></Attribute></Characteristic></Characteristics></Scorecard>'
    )
    assert [model.evaluate({**ANN, "age": age}).value for age in (20, 40)] == [15, 30]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("<SupportVectorMachineModel>{schema}</SupportVectorMachineModel>", "SupportVectorMachineModel"),
        (TREE.replace("{strategy}", "weightedConfidence"), "weightedConfidence"),
        (TREE.replace("{strategy}", "none").replace('field="age"', 'field="height"'), "height"),
        ('<RegressionModel functionName="regression">{schema}<LocalTransformations><DerivedField name="d" '
         'optype="continuous" dataType="double"><TextIndex textField="town"/></DerivedField></LocalTransformations>'
         '<RegressionTable intercept="1"/></RegressionModel>', "TextIndex"),
        ('<RegressionModel functionName="regression">{schema}<LocalTransformations><DerivedField name="d" '
         'optype="continuous" dataType="double"><Apply function="stdNormalCDF"><FieldRef field="age"/></Apply>'
         '</DerivedField></LocalTransformations><RegressionTable intercept="1"/></RegressionModel>', "stdNormalCDF"),
        ("", "no model"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name_when_a_document_is_opened(body: str, word: str) -> None:
    with pytest.raises(PmmlError, match=word):
        document(body)


@pytest.mark.parametrize("content", [b"", b"<PMML", b"<html/>", b"<PMML/>", b"\x00\x01"])
def test_what_is_no_document_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(PmmlError):
        Evaluator(content)


def test_a_document_that_spark_wrote_is_read() -> None:
    model = Evaluator(
        b"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4" xmlns:data="http://jpmml.org/jpmml-model/InlineTable">
    <Header description="linear regression"><Application name="Apache Spark MLlib" version="4.3.0"/>
        <Timestamp>2026-11-27T04:54:55</Timestamp></Header>
    <DataDictionary numberOfFields="3">
        <DataField name="field_0" optype="continuous" dataType="double"/>
        <DataField name="field_1" optype="continuous" dataType="double"/>
        <DataField name="target" optype="continuous" dataType="double"/>
    </DataDictionary>
    <RegressionModel modelName="linear regression" functionName="regression">
        <MiningSchema><MiningField name="field_0" usageType="active"/><MiningField name="field_1" usageType="active"/>
            <MiningField name="target" usageType="target"/></MiningSchema>
        <RegressionTable intercept="0.9999999999999997">
            <NumericPredictor name="field_0" coefficient="1.9999999999999998"/>
            <NumericPredictor name="field_1" coefficient="-1.6836435122355474E-16"/>
        </RegressionTable>
    </RegressionModel>
</PMML>"""
    )
    assert model.target == ("target", "double")
    assert model.evaluate({"field_0": 20.0, "field_1": 6.0}).value == pytest.approx(41)


def test_a_record_without_an_answer_leaves_its_neighbours_their_probabilities() -> None:
    model = document(
        '<RegressionModel functionName="classification" normalizationMethod="logit">{schema}'
        '<RegressionTable intercept="0" targetCategory="yes"><NumericPredictor name="age" coefficient="0"/>'
        '</RegressionTable><RegressionTable intercept="0" targetCategory="no"/></RegressionModel>'
    )
    without = {**ANN, "age": None}
    outcome = predictor(model).predict([without, ANN, without])
    assert outcome.predictions == [None, "yes", None]
    assert outcome.classes == ["no", "yes"]
    assert outcome.probabilities == [[None, None], [0.5, 0.5], [None, None]]
    assert predictor(model).predict([without]).probabilities is None
