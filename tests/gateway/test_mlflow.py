"""MLflow's scoring protocol: what the gateway answers beside what MLflow's own server does."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from models.gateway.protocols import mlflow
from tests.gateway import asking, environment
from tests.gateway.asking import Wrong
from tests.gateway.processes import KEY, RECORD, Gateway, endpoint, target, wait_for

JSON, CSV = "application/json", "text/csv"
OTHER = {**RECORD, "alcohol": 11.9, "malic_acid": None, "shade": "dark"}
COLUMNS = list(RECORD)
ROWS = [list(RECORD.values()), list(OTHER.values())]
SPLIT = {"columns": COLUMNS, "data": ROWS}
TABLE = "alcohol,malic_acid,proline,shade,region\n13.2,1.8,1050,light,north\n11.9,,1050,dark,north\n"

GOOD: list[Any] = [
    {"dataframe_split": SPLIT},
    {"dataframe_split": {**SPLIT, "index": [5, 6]}},
    {"dataframe_split": {"columns": COLUMNS[::-1], "data": [row[::-1] for row in ROWS]}},
    {"dataframe_split": {"columns": [*COLUMNS, "more"], "data": [[*row, 1] for row in ROWS]}},
    {"dataframe_records": [RECORD, OTHER]},
    {"dataframe_records": [RECORD, {k: v for k, v in OTHER.items() if v is not None}]},
    {"dataframe_records": [{**RECORD, "malic_acid": float("nan")}]},
    {"dataframe_records": [RECORD], "something": "else"},
    {"instances": [RECORD, RECORD]},
    {"inputs": {name: [RECORD[name], RECORD[name]] for name in COLUMNS}},
    {"inputs": [RECORD, RECORD]},
]
BAD: list[Any] = [
    {},
    [],
    5,
    {"records": [RECORD]},
    {"dataframe_split": SPLIT, "instances": [RECORD]},
    {"dataframe_split": [RECORD]},
    {"dataframe_split": {"columns": COLUMNS}},
    {"dataframe_split": {**SPLIT, "colour": 1}},
    {"dataframe_split": {**SPLIT, "columns": COLUMNS[1:]}},
    {"dataframe_split": {"columns": COLUMNS[1:], "data": [row[1:] for row in ROWS]}},
    {"dataframe_records": RECORD},
    {"dataframe_records": "text"},
    {"dataframe_records": [{**RECORD, "alcohol": "much"}]},
    {"instances": [1, 2]},
    {"inputs": {"alcohol": [1, 2], "proline": [1]}},
]
ANSWERED: list[tuple[str, str]] = [
    *((JSON, json.dumps(body)) for body in GOOD),
    ("application/json; charset=UTF-8", json.dumps({"dataframe_split": SPLIT})),
    (CSV, TABLE),
    ("text/csv; charset=utf-8", TABLE),
    (CSV, "\n".join(f"{i},{line}" for i, line in zip(("", 0, 1), TABLE.splitlines(), strict=True))),
    (CSV, TABLE.replace("light", '"light"').replace("\n", "\r\n")),
    (CSV, TABLE.replace("11.9,,", "11.9,NaN,")),
]
REFUSED: list[tuple[str, str]] = [
    *((JSON, json.dumps(body)) for body in BAD),
    (JSON, "{"),
    (JSON, ""),
    (CSV, ""),
    (CSV, "alcohol,malic_acid\n1,2\n"),
    (CSV, TABLE.replace("1050", "many")),
    ("text/plain", TABLE),
    ("application/json; charset=latin-1", json.dumps({"dataframe_split": SPLIT})),
    ("application/json; boundary=x", json.dumps({"dataframe_split": SPLIT})),
]


def ask(gateway: Gateway, content_type: str | None, body: str | bytes, path: str = "invocations") -> requests.Response:
    headers = {"Authorization": f"Bearer {KEY}"}
    if content_type is not None:
        headers["Content-Type"] = content_type
    return requests.post(f"{gateway.url}/acme/wine/{path}", body, headers=headers, timeout=60)


def mlflow_says(bodies: list[tuple[str, str]], model: Path | None = None) -> list[tuple[int, str]]:
    script = Path(__file__).with_name("mlflow_answers.py")
    command = [environment.python(), str(script), str(model or environment.model("one"))]
    done = subprocess.run(command, input=json.dumps(bodies), capture_output=True, text=True, check=True, timeout=280)
    return [(status, text) for status, text in json.loads(done.stdout)]


@pytest.mark.slow
def test_the_gateway_answers_and_refuses_as_the_scoring_server_of_mlflow_does(speaking: Gateway) -> None:
    theirs = mlflow_says(ANSWERED + REFUSED)
    before = len(speaking.recorded())
    for (content_type, body), (status, text) in zip(ANSWERED + REFUSED, theirs, strict=True):
        ours = ask(speaking, content_type, body)
        assert ours.status_code == status, (content_type, body, text, ours.text)
        if status == 200:
            assert ours.json() == json.loads(text), body
            assert len(ours.headers["X-Modelwright-Prediction-Id"]) == 32
        elif status == 415:
            assert ours.headers["Content-Type"].startswith("text/plain")
        else:
            said = ours.json()
            assert said["error_code"] == "BAD_REQUEST"
            assert {"error_code", "message"} <= json.loads(text).keys() & said.keys()
    recorded = speaking.recorded()[before:]
    assert len(recorded) == len(ANSWERED)
    assert {record["protocol"] for record in recorded} == {"mlflow"}
    assert recorded[0]["inputs"] == [RECORD, OTHER]
    assert recorded[0]["outputs"] == json.loads(theirs[0][1])["predictions"]


def echo_of(inputs: list[dict[str, Any]], path: Path) -> Path:
    """A model that returns what it is given, with that signature."""
    shutil.copytree(environment.model("echo"), path)
    written = [
        {**{key: value for key, value in spec.items() if key != "tensor"}, "tensor-spec": spec["tensor"]}
        if "tensor" in spec
        else spec
        for spec in inputs
    ]
    with (path / "MLmodel").open("a") as description:
        description.write(f"signature:\n  inputs: '{json.dumps(written)}'\n  outputs: null\n  params: null\n")
    return path


def records_for(content_type: str, body: str, inputs: list[dict[str, Any]]) -> list[Any] | None:
    """What the model is given, as the echo of MLflow's server has it; None for a refusal."""
    try:
        asked = asking.ask("mlflow", body.encode(), content_type=content_type.encode(), signature={"inputs": inputs})
    except Wrong as wrong:
        return None if wrong.response.status == 400 else []
    names, rows = asked.frame
    return [row[0] if names == ("",) else dict(zip(names, row, strict=True)) for row in rows]


def assert_taken_as_mlflow_does(bodies: list[tuple[str, str]], inputs: list[dict[str, Any]], path: Path) -> int:
    """How many of the bodies are taken."""
    taken = 0
    for (content_type, body), (status, text) in zip(bodies, mlflow_says(bodies, echo_of(inputs, path)), strict=True):
        theirs = json.loads(text)["predictions"] if status == 200 else None
        assert records_for(content_type, body, inputs) == theirs, (body, text)
        taken += theirs is not None
    return taken


ARRAYS: dict[tuple[int, ...], list[Any]] = {
    (-1, 3): [
        {"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1.5, 2, 3.25], [4.5, 5, 6]]}},
        {"dataframe_split": {"columns": ["c", "b", "a"], "data": [[1.5, 2, 3.25]]}},
        {"dataframe_split": {"columns": [0, 1, 2], "index": [7], "data": [[1.5, 2, 3.25]]}},
        {"dataframe_split": {"data": [[1.5, 2, 3.25]]}},
        {"dataframe_split": {"columns": ["x"], "data": [[[1.5, 2, 3.25]], [[4, 5, 6]]]}},
        {"dataframe_records": [{"a": 1.5, "b": 2, "c": 3.25}, {"c": 6, "b": 5, "a": 4.5}]},
        {"dataframe_records": [{"": [1.5, 2, 3.25]}]},
        {"dataframe_records": [{"x": [1.5, 2, 3.25]}]},
        {"dataframe_records": [{"a": 1.5, "b": 2}]},
        {"dataframe_records": [{"a": 1.5, "b": 2, "c": 3, "d": 4}]},
        {"dataframe_split": {"columns": ["a", "b", "c"], "data": [["x", "y", "z"]]}},
    ],
    (-1, 1): [{"dataframe_split": {"columns": ["a"], "data": [[1.5], [2]]}}, {"dataframe_records": [{"a": [1.5]}]}],
    (-1,): [{"dataframe_split": {"columns": ["a"], "data": [[1.5], [2]]}}],
    (-1, -1): [{"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2]]}}],
}


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "taken"), [((-1, 3), 8), ((-1, 1), 2), ((-1,), 1), ((-1, -1), 0)])
def test_a_model_of_arrays_takes_tables_as_in_mlflow(shape: tuple[int, ...], taken: int, tmp_path: Path) -> None:
    inputs = [{"type": "tensor", "tensor": {"dtype": "float64", "shape": list(shape)}}]
    bodies = [(JSON, json.dumps(body)) for body in ARRAYS[shape]]
    assert assert_taken_as_mlflow_does(bodies, inputs, tmp_path / "model") == taken


CELLS = [
    *("1,3.0,0", "1,1e3,1", "1, 3 ,1.0", "1,+3,0.0", "1,3.5,1", "1,3,2", "1,3,t", "1,3,TRUE"),
    *("1,3,0\n\n2,3,0", "1,3,0\n  \n \t\n2,3,0", "1,3,0\r\n  \r\n2,3,0"),
]


@pytest.mark.slow
def test_cells_and_truth_values_are_read_as_in_mlflow(tmp_path: Path) -> None:
    kinds = {"d": "double", "n": "long", "b": "boolean"}
    inputs = [{"name": name, "type": kind, "required": True} for name, kind in kinds.items()]
    bodies = [(CSV, f"d,n,b\n{lines}\n") for lines in CELLS]
    bodies += [(CSV, " \nd,n,b\n1,3,0\n")]
    records: list[Any] = [{"d": 1, "n": 3, "b": truth} for truth in (0, 1, 1.0, True)]
    bodies += [(JSON, json.dumps({"dataframe_records": [record]})) for record in records]
    bodies += [(JSON, json.dumps({"dataframe_split": {"columns": ["b", "n", "d"], "data": [[1, 3, 1], [0, 3, 1]]}}))]
    assert assert_taken_as_mlflow_does(bodies, inputs, tmp_path / "model") == len(bodies) - 3


@pytest.mark.slow
def test_ping_and_version_tell_what_mlflow_tells(speaking: Gateway) -> None:
    assert f"mlflow-skinny=={mlflow.SPEAKS}" in environment.REQUIREMENTS
    headers = {"Authorization": f"Bearer {KEY}"}

    def get(path: str, method: str = "GET") -> requests.Response:
        return requests.request(method, f"{speaking.url}/acme/wine/{path}", headers=headers, timeout=30)

    for path in ("ping", "health"):
        assert (get(path).status_code, get(path).text) == (200, "\n")
    assert get("version").text == mlflow.SPEAKS
    assert get("invocations").status_code == get("ping", "POST").status_code == 405
    assert requests.get(f"{speaking.url}/acme/wine/ping", timeout=30).json()["error_code"] == "UNAUTHENTICATED"


def test_ping_fails_while_no_replica_answers(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    gateway = start_gateway()
    gateway.publish({"acme/wine": endpoint(1, target("m", 1, tmp_path / "none.sock"))})
    headers = {"Authorization": f"Bearer {KEY}"}

    def status() -> Any:
        return requests.get(f"{gateway.url}/acme/wine/ping", headers=headers, timeout=30).status_code

    wait_for(lambda: status() == 503)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "exactly one of dataframe_split, dataframe_records, instances, inputs; it has no key at all"),
        ({"dataframe_split": {"data": [[1], [2, 3]]}}, "data[1] has 2 values for 1 columns"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "columns names 'a' twice"),
        ({"inputs": {"alcohol": [1, 2], "proline": [1]}}, "alcohol has 2, proline has 1"),
        ({"inputs": {"alcohol": [1], "proline": 1}}, "proline is the number 1 where other columns are lists"),
        ({"instances": [[1, 2]]}, "cellar has 5 inputs, so a record is an object"),
        ({"dataframe_records": []}, "not one record"),
        ({"dataframe_records": [{**RECORD, "proline": "many"}]}, "records[0].proline: Expected a whole number (long)"),
        ({"dataframe_records": [RECORD], "params": {"n": 1}}, "params"),
    ],
)
def test_a_refusal_says_what_is_wrong(body: Any, told: str) -> None:
    with pytest.raises(Wrong) as caught:
        asking.ask("mlflow", body)
    assert caught.value.response.status == 400
    assert told in caught.value.told["message"]


def test_tensors_come_in_rows_or_in_columns() -> None:
    spec = {"type": "tensor", "tensor": {"dtype": "float32", "shape": [-1, 2]}}
    rows = [([1, 2],), ([3, 4],)]
    nameless: list[Any] = [{"instances": [[1, 2], [3, 4]]}, {"inputs": [[1, 2], [3, 4]]}]
    for body in nameless:
        assert asking.ask("mlflow", body, signature={"inputs": [spec]}).frame.rows == rows
    named: list[Any] = [{"instances": [{"x": [1, 2]}, {"x": [3, 4]}]}, {"inputs": {"x": [[1, 2], [3, 4]]}}]
    for body in named:
        assert asking.ask("mlflow", body, signature={"inputs": [{**spec, "name": "x"}]}).frame.rows == rows


def test_a_table_that_is_no_array_of_the_model_is_told() -> None:
    signature = {"inputs": [{"type": "tensor", "tensor": {"dtype": "float64", "shape": [-1, 3]}}]}
    table = {"dataframe_records": [{"a": 1, "b": 2}]}
    with pytest.raises(Wrong, match=r"The table has 2 columns, but the model takes one tensor of the shape \[-1, 3\]"):
        asking.ask("mlflow", table, signature=signature)
    ragged = {"dataframe_records": [{"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2}]}
    with pytest.raises(Wrong, match=r"dataframe_records\[1\] has other columns than the first"):
        asking.ask("mlflow", ragged, signature=signature)


def test_a_line_of_blanks_in_quotes_is_a_record() -> None:
    frame = asking.ask("mlflow", b'a\n"  "\n  \n', content_type=b"text/csv", signature=None).frame
    assert frame.rows == [("  ",)]


def test_cells_of_a_table_without_a_signature_get_the_type_of_their_column() -> None:
    table = b"\xef\xbb\xbfa,b,c,d,e,f\n1,1.5,true,x,3.0,true\n-2,NA,False,1_0,4,1\n"
    frame = asking.ask("mlflow", table, content_type=b"text/csv", signature=None).frame
    assert frame.rows == [(1, 1.5, True, "x", 3.0, "true"), (-2, None, False, "1_0", 4.0, "1")]
    assert type(frame.rows[0][4]) is float


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (b"a,a\n1,2\n", "names the column 'a' twice"),
        (b"a,b\n1,2,3\n", "Line 2 has 3 values for 2 columns"),
        (b'a\n"1\n', "Line 2 is no CSV: unexpected end of data"),
        (b"\xff\n1\n", "no UTF-8"),
        (b"a\n", "not one record"),
        (b"a," * 5000 + b"a\n1\n", "The header names 5001 columns"),
        (b",".join(b"%d" % i for i in range(5000)) + b"\n1" * 5000, "more than 2000000 cells"),
    ],
)
def test_a_broken_table_is_told_by_line(table: bytes, told: str) -> None:
    with pytest.raises(Wrong) as caught:
        asking.ask("mlflow", table, content_type=b"text/csv", signature=None)
    assert told in caught.value.told["message"]


def test_what_a_short_line_lacks_is_made_for_the_columns_of_the_model_alone() -> None:
    signature = {"inputs": [{"name": name, "type": "long", "required": False} for name in ("4998", "1", "x")]}
    table = b",".join(b"%d" % i for i in range(5000)) + b"\n7,8" * 9000
    asked = asking.ask("mlflow", table, content_type=b"text/csv", signature=signature).asked
    assert asked.records == [{"1": 8, "4998": None}] * 9000


def test_a_name_that_comes_twice_among_very_many_is_found_at_once() -> None:
    names = [str(index) for index in range(100_000)]
    began = time.process_time()
    with pytest.raises(Wrong, match="twice"):
        asking.ask("mlflow", {"dataframe_split": {"columns": [*names, names[-1]], "data": []}}, signature=None)
    assert time.process_time() - began < 10
