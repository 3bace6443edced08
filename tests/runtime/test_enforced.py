"""Rows that the gateway's check accepts, given to a model whose signature MLflow enforces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gateway.signature import Invalid, Signature
from models.registry.mlmodel import parse, served_signature
from tests.gateway import environment
from tests.gateway.processes import KEY, Gateway, ModelServer, Process, endpoint, target

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("enforced_models.py")
Row = dict[str, Any]


class Models:
    """Models as they are served: the gateway's check, then the runtime."""

    def __init__(self, directory: Path, process: subprocess.Popen[str]) -> None:
        self.directory = directory
        self._process = process
        self._signatures: dict[str, Signature] = {}

    def answers(self, model: str, *rows: Row) -> Any:
        """What the model says of rows that came together."""
        frame = self._signature(model).check(rows)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([model, frame.columns, frame.rows]) + "\n")
        self._process.stdin.flush()
        predictions, error = json.loads(self._process.stdout.readline())
        assert error is None, error
        return predictions

    def echo(self, *rows: Row) -> Any:
        """What the model that takes everything was given, row by row."""
        return self.answers("echo", *rows)

    def described(self, model: str) -> dict[str, Any]:
        """The signature as a route table has it."""
        signature = served_signature(parse((self.directory / model / "MLmodel").read_bytes()).signature)
        assert signature is not None
        return signature

    def _signature(self, model: str) -> Signature:
        if model not in self._signatures:
            self._signatures[model] = Signature(self.described(model)["inputs"])
        return self._signatures[model]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    directory = tmp_path_factory.mktemp("models")
    with subprocess.Popen(
        [environment.python(), "-W", "ignore", str(SCRIPT), str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(environment.RUNTIME), "OMP_NUM_THREADS": "1"},
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Models(directory, process)
        process.kill()


KINDS = ("boolean", "integer", "long", "float", "double", "string", "datetime", "binary")
NESTED = (*(f"list of {kind}" for kind in KINDS), "list of lists", "item", "shares")
MOMENTS = st.sampled_from(
    ["2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00.5+01:00", "2026-W05-6", "1677-09-22", "2262-04-11"]
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.integers(-9, 9) | st.floats(-1e30, 1e30),
    "double": st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False),
    "string": st.text(max_size=3),
    "datetime": MOMENTS,
    "binary": st.sampled_from(["", "AAEC"]),
}
# MLflow knows no whole number that is missing, in a list either.
LISTS = {
    kind: st.lists(value if kind in ("integer", "long") else st.none() | value, max_size=2)
    for kind, value in VALUES.items()
}
PRICE = st.fixed_dictionaries(
    {"sku": VALUES["string"], "price": VALUES["double"]}, optional={"of": st.none() | VALUES["float"]}
)
ALL = {
    **VALUES,
    **{f"list of {kind}": LISTS[kind] for kind in KINDS},
    "list of lists": st.lists(LISTS["double"], max_size=2),
    "item": st.fixed_dictionaries(
        {"at": MOMENTS, "count": VALUES["integer"], "prices": st.lists(PRICE, min_size=1, max_size=2)}
    ),
    "shares": st.dictionaries(st.text(max_size=2), VALUES["double"], min_size=1, max_size=2),
}
ROWS: st.SearchStrategy[Row] = st.fixed_dictionaries(
    {f"the {name}": value for name, value in ALL.items()},
    optional={**{name: st.none() | value for name, value in ALL.items()}, "any": st.none() | LISTS["string"]},
)
PLAIN: Row = {
    "the boolean": True,
    "the integer": 1,
    "the long": 2,
    "the float": 3,
    "the double": 4,
    "the string": "a",
    "the datetime": "2026-01-31",
    "the binary": "AAEC",
    "the shares": {"a": 1},
    "the list of lists": [[1], [2.5]],
    **{f"the list of {kind}": [] for kind in KINDS},
    "the item": {"at": "2026-01-31T12:00:00Z", "count": 1, "prices": [{"sku": "a", "price": 1, "of": 2}]},
}


@settings(max_examples=25)
@given(rows=st.lists(ROWS, min_size=1, max_size=4))
def test_what_the_check_accepts_is_answered_as_if_it_stood_alone(models: Models, rows: list[Row]) -> None:
    for beside, row in zip(models.echo(*rows), rows, strict=True):
        (alone,) = models.echo(row)
        assert {name: told for name, told in beside.items() if told != alone.get(name)} == {}
        assert beside.keys() == alone.keys()


@pytest.mark.parametrize("name", ALL)
def test_what_is_required_may_not_be_null(models: Models, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        models.echo({**PLAIN, f"the {name}": None})
    assert [error["column"] for error in refused.value.errors] == [f"the {name}"]


def test_a_missing_value_is_what_mlflow_takes_for_it(models: Models) -> None:
    (told,) = models.echo(PLAIN)
    # MLflow's whole numbers have no such value: it takes rows without the column.
    assert "long" not in told
    assert "integer" not in told
    assert {told[name] for name in ("boolean", *NESTED)} == {"object NoneType None"}
    assert told["double"] == "float64 float nan"
    assert told["datetime"] == "datetime64[ns] NaTType NaT"


def test_rows_with_and_without_a_value_come_back_in_their_order(models: Models) -> None:
    longs: Sequence[int | None] = [1, None, 2, None]
    told = models.echo(*({**PLAIN, "long": value, "the integer": i} for i, value in enumerate(longs)))
    assert [row.get("long") for row in told] == ["int64 int 1", None, "int64 int 2", None]
    assert [row["the integer"] for row in told] == [f"int32 int {i}" for i in range(4)]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("list of double", [1, 2.5, 3], "object [float 1.0, float 2.5, float 3.0]"),
        ("list of double", [1, None], "object [float 1.0, float nan]"),
        ("list of double", [None], "object [float nan]"),
        ("list of float", [1, 0.5], "object [float 1.0, float 0.5]"),
        ("list of float", [1, None], "object [float 1.0, float nan]"),
        ("list of integer", [1, 2], "object [int 1, int 2]"),
        ("list of long", [1, 2**60], f"object [int 1, int {2**60}]"),
        ("list of boolean", [True, False], "object [bool True, bool False]"),
        ("list of lists", [[1], [2.5, 3]], "object [[float 1.0], [float 2.5, float 3.0]]"),
        ("shares", {"a": 1, "b": 0.5}, "object {a: float64 1.0, b: float64 0.5}"),
        (
            "item",
            {"at": "2026-01-31T13:00:00+01:00", "count": 7, "prices": [{"sku": "a", "price": 2, "of": 3}]},
            "object {at: Timestamp 2026-01-31 12:00:00, count: int32 7, "
            "prices: [{sku: str a, price: float64 2.0, of: float32 3.0}]}",
        ),
        ("datetime", "2026-01-31T12:00:00Z", "datetime64[ns] Timestamp 2026-01-31 12:00:00"),
        ("datetime", "2026-01-31T12:00:00", "datetime64[ns] Timestamp 2026-01-31 12:00:00"),
        ("datetime", "2026-01-31T13:00:00+01:00", "datetime64[ns] Timestamp 2026-01-31 12:00:00"),
        ("datetime", "2262-04-11T23:47:16.854774Z", "datetime64[ns] Timestamp 2262-04-11 23:47:16.854774"),
    ],
)
def test_a_value_comes_to_the_model_as_the_signature_says(models: Models, name: str, value: Any, expected: str) -> None:
    beside = {**PLAIN, "datetime": "2026-01-31T07:00:00-05:00", "list of double": [0.5]}
    for rows in ([{**PLAIN, name: value}], [{**PLAIN, name: value}, beside], [{**PLAIN, name: value}, PLAIN]):
        assert models.echo(*rows)[0][name] == expected


@pytest.mark.parametrize("value", ["9999-01-01", "1677-09-21T00:12:43", "0001-01-01T00:00:00+10:00"])
def test_a_moment_that_the_model_cannot_be_given_is_refused_with_the_range(models: Models, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        models.echo({**PLAIN, "the datetime": value})
    assert [error["column"] for error in refused.value.errors] == ["the datetime"]
    assert "between 1677-09-21 and 2262-04-11" in refused.value.errors[0]["message"]


def test_a_pipeline_that_was_trained_on_dates_without_a_zone_takes_those_of_one(models: Models) -> None:
    moments = ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00+01:00", "2026-01-31T12:00:00"]
    assert models.answers("late", *({"at": moment} for moment in moments)) == [True, False, True]


@pytest.fixture
def served(models: Models) -> Iterator[str]:
    """The address of the model that takes everything, at a gateway."""
    directory = Path(tempfile.mkdtemp(prefix="mwe-", dir="/tmp"))
    started: list[Process] = []
    try:
        server = ModelServer(directory, str(models.directory / "echo"), "echo")
        started.append(server)
        gateway = Gateway(directory)
        started.append(gateway)
        route = target("echo", 1, server.ready().socket, signature=models.described("echo"))
        gateway.publish({"acme/echo": endpoint(1, route)})
        yield f"{gateway.url}/acme/echo/invocations"
    finally:
        for process in started:
            process.stop(signal.SIGKILL)
        shutil.rmtree(directory, ignore_errors=True)


def test_requests_at_the_same_time_are_answered_as_each_is_alone(models: Models, served: str) -> None:
    more: list[Row] = [
        {},
        {"long": 1},
        {"boolean": True},
        {"boolean": None, "long": None},
        {"datetime": "2026-01-31T12:00:00Z"},
    ]
    rows = [{**PLAIN, **each, "the long": number} for number, each in enumerate(more * 6)]

    def ask(row: Row) -> tuple[int, Any]:
        body = {"dataframe_records": [row]}
        answer = requests.post(served, json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
        return answer.status_code, answer.json().get("predictions")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, rows))
    assert answers == [(200, models.echo(row)) for row in rows]
