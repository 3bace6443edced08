"""What reaches the spool of a request: what served it, and nothing of columns that are redacted."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from models.gateway.pending import Failure, Pending, Prediction
from models.gateway.recording import WITHHELD, Recorder
from models.gateway.responses import Response
from models.gateway.routes import Match, parse
from models.gateway.spool import HEAD

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TABLE: dict[str, Any] = {
    "endpoint_id": "e",
    "deployment_id": "d",
    "deployment_number": 1,
    "keys": {},
    "targets": [{"model_version_id": "v", "model": "m", "version": 2, "weight": 1, "signature": None, "sockets": []}],
}


def table_of(endpoints: dict[str, Any]) -> bytes:
    """A route table."""
    return orjson.dumps({"revision": 1, "endpoints": endpoints})


def pending(records: list[Any], redact: list[str], trace: str | None = None, **target: str) -> Pending:
    entry = {**TABLE, "redact": redact, "targets": [{**TABLE["targets"][0], **target}]}
    table = parse(table_of({"acme/wine": entry}))
    (endpoint,) = table.endpoints.values()
    return Pending(
        Match(endpoint, "v2", "predict"),
        endpoint.targets[0],
        "k",
        records,
        lambda response: None,
        encode=lambda result, id_: Response(200, b""),
        at=5.0,
        received=1.0,
        deadline=31.0,
        size=1,
        trace=trace,
    )


def recorded(
    records: list[Any], redact: list[str], *, secret: str = "s", trace: str | None = None, **target: str
) -> dict[str, Any]:
    result = Prediction(pending(records, redact, trace, **target), [1] * len(records), None)
    content: dict[str, Any] = orjson.loads(Recorder(secret).predicted(result, "id", 1.25)[HEAD.size :])
    return content


def test_protocol_path_and_trace_are_on_record() -> None:
    record = recorded([{"a": 1}], [], trace=f"00-{TRACE}-00f067aa0ba902b7-01", served_by="onnx:ab")
    assert record == {
        "id": "id",
        "at": 5.0,
        "endpoint_id": "e",
        "deployment_id": "d",
        "model_version_id": "v",
        "key_id": "k",
        "protocol": "v2",
        "served_by": "onnx:ab",
        "trace_id": TRACE,
        "rows": 1,
        "inputs_size": len('[{"a":1}]'),
        "inputs": [{"a": 1}],
        "outputs": [1],
        "latency_ms": 250.0,
        "status": 200,
    }


def test_a_later_version_may_say_more() -> None:
    assert recorded([{"a": 1}], [], trace=f"cc-{TRACE}-00f067aa0ba902b7-01-more")["trace_id"] == TRACE


@pytest.mark.parametrize(
    "trace",
    [
        *(None, "", "x", f"00-{TRACE}", f"00-{TRACE.upper()}-00f067aa0ba902b7-01"),
        *(f"ff-{TRACE}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{TRACE}-{'0' * 16}-01"),
        *(f"00-{TRACE}-00f067aa0ba902b7-01-more", f"cc-{TRACE}-00f067aa0ba902b7-01more"),
    ],
)
def test_what_is_no_trace_is_left_out(trace: str | None) -> None:
    assert "trace_id" not in recorded([{"a": 1}], [], trace=trace)
    assert recorded([{"a": 1}], [])["served_by"] == "original"


def test_values_of_redacted_columns_stay_comparable_and_unreadable() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "Ann", "age": 41, "x": 1},
        {"name": "Ann", "age": 41.0, "x": 2},
        {"name": None, "age": 42, "x": 3},
    ]
    first, second, third = recorded(rows, ["name", "age", "absent"])["inputs"]
    assert [row["x"] for row in (first, second, third)] == [1, 2, 3]
    assert first["name"] == second["name"]
    assert first["age"] == second["age"] != third["age"]
    assert third["name"] is None
    assert set(first["name"]) == {"redacted"}
    assert "absent" not in first
    assert rows[0]["name"] == "Ann"
    assert recorded(rows, ["name"])["inputs"][0]["name"] == first["name"]
    assert recorded(rows, ["name"], secret="other")["inputs"][0]["name"] != first["name"]
    assert recorded(rows, ["name"], secret="")["inputs"][0] != recorded(rows, ["name"], secret="")["inputs"][0]


def test_nested_values_are_redacted_whole() -> None:
    one, other = recorded([{"": [[1, 2], [3, 4]]}, {"": [[1, 2], [3, 5]]}], [""])["inputs"]
    assert set(one[""]) == {"redacted"}
    assert one != other


@pytest.mark.parametrize(("redact", "said"), [([], "no float: 'Ann'"), (["name"], WITHHELD)])
def test_a_failure_is_recorded_without_the_words_that_could_repeat_a_value(redact: list[str], said: str) -> None:
    failure = Failure(pending([{"name": "Ann"}], redact), Response(502, b""), "ValueError", "no float: 'Ann'")
    line = Recorder("s").failed(failure, "id", 1.5)
    record = orjson.loads(line[HEAD.size :])
    assert (record["status"], record["outputs"]) == (502, [])
    assert record["error"] == {"code": "ValueError", "message": said}
    assert (b"Ann" in line) == (not redact)


def test_of_a_graphs_nodes_only_the_answers_are_kept_whatever_the_nodes_are_called() -> None:
    """A transformer may be declared as a model, and give back what it was asked."""
    asked = pending([{"name": "Ann"}, {"name": "Bo"}], ["name"])
    final = ["low", "high"]
    asked.facts = {
        "nodes": [
            {"node": "t", "kind": "model", "outputs": [{"n": "Ann"}, {"n": "Bo"}], "probabilities": [{"Ann": 1.0}] * 2},
            {"node": "both", "kind": "combiner", "outputs": [["Ann", 1], ["Bo", 2]]},
            {"node": "m", "kind": "transformer", "records": [1], "outputs": [final[1]], "probabilities": [{"h": 1.0}]},
            {"node": "n", "kind": "model", "outputs": [final[0], {"n": "Bo"}]},
            {"node": "r", "kind": "router", "to": ["m", "n"]},
        ]
    }
    line = Recorder("s").predicted(Prediction(asked, final, None), "id", 1.25)
    assert b"Ann" not in line
    assert b"Bo" not in line
    t, both, m, n, r = orjson.loads(line[HEAD.size :])["nodes"]
    assert (t["withheld"], "outputs" in t, t["probabilities"]) == (True, False, [None, None])
    assert (both["withheld"], "outputs" in both) == (True, False)
    assert (m["outputs"], m["probabilities"], "withheld" in m) == (["high"], [{"h": 1.0}], False)
    assert (n["outputs"], n["withheld"]) == (["low", {"withheld": True}], True)
    assert r["to"] == ["m", "n"]
    failed = Failure(asked, Response(502, b""), "ValueError", "x")
    line = Recorder("s").failed(failed, "id", 1.5)
    assert b"Ann" not in line
    assert all("outputs" not in step for step in orjson.loads(line[HEAD.size :])["nodes"])
