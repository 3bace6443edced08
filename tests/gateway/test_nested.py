"""Models whose columns are objects, maps and lists of these, or have no names, behind a gateway: the document's example
works, and what MLflow refuses is refused before the model sees it."""

from __future__ import annotations

import signal
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.gateway.processes import KEY, Gateway, ModelServer, Process, endpoint, target
from tests.gateway.signatures import signature_of

pytestmark = pytest.mark.slow

MODELS = ("nested", "pair", "texts")
ITEM = {"sku": "a", "price": 1}
GOOD: dict[str, Any] = {"item": ITEM, "shares": {"x": 1, "y": 0.5}, "grid": [[1, 2], [3]], "others": [ITEM]}
PATHS = {
    "own": "predict",
    "mlflow": "invocations",
    "v2": "v2/models/{}/infer",
    "tensorflow": "v1/models/{}:predict",
}


@pytest.fixture(scope="module")
def gateway(short_directory: Path) -> Iterator[Gateway]:
    directory = short_directory / "nested"
    directory.mkdir()
    servers = {name: ModelServer(directory, name) for name in MODELS}
    running: list[Process] = list(servers.values())
    try:
        started = Gateway(directory)
        running.append(started)
        started.publish(
            {
                f"acme/{name}": endpoint(2, target(name, 1, server.ready().socket, signature=signature_of(name)))
                for name, server in servers.items()
            }
        )
        yield started
    finally:
        for process in running:
            process.stop(signal.SIGKILL)


def ask(gateway: Gateway, name: str, protocol: str, body: Any, kind: str = "application/json") -> requests.Response:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": kind}
    given = {"data": body} if isinstance(body, str) else {"json": body}
    url = f"{gateway.url}/acme/{name}/{PATHS[protocol].format(name)}"
    return requests.post(url, headers=headers, timeout=60, **given)


def seen(response: requests.Response) -> Any:
    """What the model was given, row by row."""
    assert response.status_code == 200, response.text
    told = response.json()
    rows = told.get("predictions") or told["outputs"]
    rows = rows[0]["data"] if isinstance(rows[0], dict) else rows
    return [literal_eval(row) for row in rows]


@pytest.mark.parametrize("name", MODELS)
def test_the_examples_of_the_document_are_answered(gateway: Gateway, name: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    document = requests.get(f"{gateway.url}/acme/{name}/openapi.json", headers=headers, timeout=30).json()
    found = {}
    for protocol, path in PATHS.items():
        path = "/" + path.format("{model}")
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        Draft202012Validator({**content["schema"], "components": document["components"]}).validate(content["example"])
        found[protocol] = seen(ask(gateway, name, protocol, content["example"]))
    assert all(rows == found["own"] for rows in found.values()), found


def test_what_fits_reaches_the_model_as_its_types_say(gateway: Gateway) -> None:
    item = {"sku": "a", "price": 1.0}
    full = {**item, "note": None, "sizes": [{"count": 3}]}
    records = [GOOD, {**GOOD, "item": {**full, "sizes": [{"count": 3.0}]}, "shares": {}, "grid": [], "seen": None}]
    wanted = [
        [item, {"x": 1.0, "y": 0.5}, [[1, 2], [3]], [item], None],
        [full, {}, [], [item], None],
    ]
    assert seen(ask(gateway, "nested", "own", {"records": records})) == wanted
    assert seen(ask(gateway, "nested", "mlflow", {"dataframe_records": records})) == wanted
    assert seen(ask(gateway, "nested", "tensorflow", {"instances": records})) == wanted


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"item": {"sku": "a"}}, "item.price"),
    ({"item": {**ITEM, "price": "1"}}, "item.price"),
    ({"item": {**ITEM, "price": None}}, "item.price"),
    ({"item": {**ITEM, "colour": "red"}}, "item.colour"),
    ({"item": {**ITEM, "note": 5}}, "item.note"),
    ({"item": {**ITEM, "sizes": [{"count": 1}, {"count": 1.5}]}}, "item.sizes[1].count"),
    ({"item": {}}, "item.price"),
    ({"item": [ITEM]}, "item"),
    ({"shares": {"x": "much"}}, "shares.x"),
    ({"shares": {"x": None}}, "shares.x"),
    ({"grid": [[1], [2, "3"]]}, "grid[1][1]"),
    ({"grid": [[1, None]]}, "grid[0][1]"),
    ({"grid": [None]}, "grid[0]"),
    ({"others": [ITEM, None]}, "others[1]"),
    ({"others": [ITEM, {"price": 1}]}, "others[1].sku"),
    ({"seen": {"at": "yesterday"}}, "seen.at"),
]


@pytest.mark.parametrize(("change", "place"), WRONG)
def test_what_does_not_fit_is_refused_with_its_place(gateway: Gateway, change: dict[str, Any], place: str) -> None:
    record = {**GOOD, **change}
    own = ask(gateway, "nested", "own", {"records": [GOOD, record]})
    assert own.status_code == 422, own.text
    (error,) = own.json()["errors"]
    assert error["field"] == f"records[1].{place}"
    assert error["column"] == next(iter(change))
    assert error["remedy"]
    others = {"mlflow": {"dataframe_records": [record]}, "tensorflow": {"instances": [record]}}
    for protocol, body in others.items():
        refused = ask(gateway, "nested", protocol, body)
        assert refused.status_code == 400, refused.text
        assert f"records[0].{place}" in refused.text


PAIRS: list[tuple[str, Any]] = [
    ("own", {"records": [{"0": 1, "1": 2.5}]}),
    ("own", {"records": [{"b": 1, "a": 2.5}]}),
    ("mlflow", {"dataframe_split": {"data": [[1, 2.5]]}}),
    ("mlflow", {"dataframe_split": {"columns": ["b", "a", "more"], "data": [[1, 2.5, 3]]}}),
    ("mlflow", {"dataframe_records": [{"b": 1, "a": 2.5}]}),
    ("mlflow", {"inputs": [[1, 2.5]]}),
    ("mlflow", {"instances": [[1, 2.5]]}),
    ("mlflow", "b,a\n1,2.5\n"),
    ("v2", {"inputs": [{"name": "input-0", "datatype": "FP64", "shape": [1, 2], "data": [1, 2.5]}]}),
    (
        "v2",
        {
            "inputs": [
                {"name": name, "datatype": "FP64", "shape": [1], "data": [n]} for name, n in (("b", 1), ("a", 2.5))
            ]
        },
    ),
    ("tensorflow", {"instances": [[1, 2.5]]}),
    ("tensorflow", {"instances": [{"0": 1, "1": 2.5}]}),
    ("tensorflow", {"inputs": {"b": [1], "a": [2.5]}}),
]
BAD_PAIRS: list[tuple[str, Any]] = [
    ("own", {"records": [{"0": 1}]}),
    ("own", {"records": [{"0": 1, "1": 2, "2": 3}]}),
    ("own", {"records": [{"0": 1, "1": "2.5"}]}),
    ("own", {"records": [{"0": 1, "1": None}]}),
    ("own", {"records": [{"a": 1, "b": 2}, {"a": 1, "c": 2}]}),
    ("mlflow", {"dataframe_split": {"data": [[1]]}}),
    ("mlflow", {"dataframe_split": {"data": [["1", "2"]]}}),
    ("mlflow", {"inputs": [[1, "2"]]}),
    ("mlflow", {"inputs": [1, 2]}),
    ("mlflow", "b,a\n1,much\n"),
    ("v2", {"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1, 2], "data": ["1", "2"]}]}),
    ("tensorflow", {"instances": [[1, "2"]]}),
]


def test_columns_without_names_are_taken_by_their_places(gateway: Gateway) -> None:
    for protocol, body in PAIRS:
        kind = "text/csv" if isinstance(body, str) else "application/json"
        assert seen(ask(gateway, "pair", protocol, body, kind)) == [[1.0, 2.5]], (protocol, body)
    for protocol, body in BAD_PAIRS:
        kind = "text/csv" if isinstance(body, str) else "application/json"
        refused = ask(gateway, "pair", protocol, body, kind)
        assert refused.status_code == (422 if protocol == "own" else 400), (protocol, body, refused.text)


def test_a_text_without_a_name_is_a_text(gateway: Gateway) -> None:
    good: list[tuple[str, Any]] = [
        ("own", {"records": [{"any": "a"}]}),
        ("mlflow", {"inputs": ["a"]}),
        ("mlflow", {"inputs": [["a"]]}),
        ("mlflow", {"dataframe_split": {"data": [["a"]]}}),
        ("mlflow", "header\na\n"),
        ("v2", {"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1, 1], "data": ["a"]}]}),
        ("tensorflow", {"instances": ["a"]}),
    ]
    for protocol, body in good:
        kind = "text/csv" if isinstance(body, str) else "application/json"
        assert seen(ask(gateway, "texts", protocol, body, kind)) == [["a"]], (protocol, body)
    assert ask(gateway, "texts", "own", {"records": [{"0": 5}]}).status_code == 422
    assert ask(gateway, "texts", "mlflow", {"inputs": [5]}).status_code == 400
