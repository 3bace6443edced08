"""Graphs whole: a real gateway, real replicas, and the two-step X-ray case on digits, which stand in for X-rays."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from models.gateway.graphs.conditions import holds
from models.gateway.graphs.parsing import parse
from tests.gateway.graphs import xray
from tests.gateway.graphs.graphs import XRAY
from tests.gateway.processes import KEY, RECORD, Gateway, ModelServer, Process, endpoint, target, wait_for
from tests.gateway.signatures import signature_of

pytestmark = pytest.mark.slow

NAME = "acme/xray"
HUMAN, NONE = {"finding": "ask a human"}, {"finding": "none"}


@pytest.fixture(scope="module")
def servers(short_directory: Path) -> Iterator[dict[str, ModelServer]]:
    """A replica of each model of the case."""
    xray.trained()
    started = {name: ModelServer(short_directory, name) for name in xray.MODELS}
    try:
        yield {name: server.ready() for name, server in started.items()}
    finally:
        for server in started.values():
            server.stop(signal.SIGKILL)


def numbered(version: int) -> str:
    return f"00000000-0000-7000-8000-{version:012d}"


def graph_of(data: dict[str, Any], versions: dict[str, int]) -> dict[str, Any]:
    """The graph as a deployment has it: each model with its version."""
    nodes = {
        name: {**node, "version": versions[node["model"]], "model_version_id": numbered(versions[node["model"]])}
        if "model" in node
        else node
        for name, node in data["nodes"].items()
    }
    return {**data, "name": "xray", "nodes": nodes}


VERSIONS = {name: number for number, name in enumerate(xray.MODELS, 1)}


def entry(sockets: dict[str, Path], data: dict[str, Any] = XRAY, number: int = 1, **more: Any) -> dict[str, Any]:
    targets = [
        {**target(name, VERSIONS[name], sockets[name], weight=0, signature=signature_of(name)), "role": "node"}
        for name in xray.MODELS
    ]
    return {**endpoint(number, *targets), "graph": graph_of(data, VERSIONS), **more}


@pytest.fixture
def sockets(servers: dict[str, ModelServer]) -> dict[str, Path]:
    return {name: server.socket for name, server in servers.items()}


@pytest.fixture
def serving(gateway: Gateway, sockets: dict[str, Path]) -> Gateway:
    gateway.publish({NAME: entry(sockets)})
    return gateway


def ask(gateway: Gateway, *images: Any) -> requests.Response:
    return gateway.predict(*({"": image} for image in images), name=NAME)


def test_a_sensitive_detector_then_the_type_and_a_human_where_it_is_not_sure(serving: Gateway) -> None:
    held_out = xray.held_out()
    answer = ask(serving, *(one["image"] for one in held_out))
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert (content["model"], content["version"]) == ("xray", 1)
    answers = content["predictions"]
    told = list(zip(answers, (one["digit"] for one in held_out), strict=True))
    ill = [given for given, digit in told if digit >= 5]
    types = [(given, digit) for given, digit in told if isinstance(given, int)]
    assert sum(given != NONE for given in ill) / len(ill) > 0.97
    assert sum(given == NONE for given, digit in told if digit < 5) > 150
    assert HUMAN in answers
    really_ill = [(given, digit) for given, digit in types if digit >= 5]
    assert sum(given == digit for given, digit in really_ill) / len(really_ill) > 0.97
    assert {str(given) for given in answers} <= {str(NONE), str(HUMAN), "5", "6", "7", "8", "9"}
    (record,) = serving.recorded()
    assert record["outputs"] == answers
    assert record["served_by"].startswith("graph:")
    _check_nodes(record["nodes"], answers)


def _check_nodes(steps: list[dict[str, Any]], answers: list[Any]) -> None:
    """What is on record of each node explains every answer, by the graph alone."""
    by_node = {step["node"]: step for step in steps}
    assert set(by_node) == {"scale", "detect", "decide", "classify", "sure"}
    for name, model in (("scale", "xray-scaler"), ("detect", "xray-detector"), ("classify", "xray-types")):
        step = by_node[name]
        assert (step["model"], step["version"], step["latency_ms"] > 0) == (model, VERSIONS[model], True)
    graph = parse("xray", XRAY)
    detected, classified = by_node["detect"], by_node["classify"]
    places = {index: place for place, index in enumerate(classified["records"])}
    assert len(by_node["scale"]["outputs"][0]) == 64
    for index, given in enumerate(answers):
        case = graph.nodes["decide"].cases[0]
        if holds(case.when[0], {}, detected["outputs"][index], detected["probabilities"][index]):
            assert (given, index in places) == (NONE, False)
            continue
        type_, chances = (classified[key][places[index]] for key in ("outputs", "probabilities"))
        assert given == (HUMAN if max(chances.values()) < 0.6 else type_)


def test_requests_share_batches_at_every_node_and_each_is_answered_once(serving: Gateway) -> None:
    held_out = xray.held_out()[:120]
    together = ask(serving, *(one["image"] for one in held_out)).json()["predictions"]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda one: ask(serving, one["image"]).json(), held_out))
    assert [one["predictions"][0] for one in found] == together
    assert len({one["prediction_id"] for one in found}) == 120
    assert len(serving.recorded()) == 121


def test_a_graph_speaks_every_protocol_and_describes_itself(serving: Gateway) -> None:
    image = xray.held_out()[0]["image"]
    expected = ask(serving, image).json()["predictions"]
    headers = {"Authorization": f"Bearer {KEY}"}

    def post(path: str, body: Any) -> Any:
        answer = requests.post(f"{serving.url}/{NAME}/{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert post("invocations", {"inputs": [image]})["predictions"] == expected
    assert post("v1/models/xray:predict", {"instances": [image]})["predictions"] == expected
    images = [one["image"] for one in xray.held_out()[:20]]
    tensor = {"name": "image", "datatype": "FP64", "shape": [20, 8, 8], "data": images}
    (output,) = post("v2/models/xray/versions/1/infer", {"inputs": [tensor]})["outputs"]
    assert (output["name"], output["shape"]) == ("predictions", [20])
    document = requests.get(f"{serving.url}/{NAME}/openapi.json", headers=headers, timeout=30).json()
    assert "xray-detector version 2" in document["info"]["description"]
    example = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert serving.predict(name=NAME, json=example).status_code == 200
    ready = requests.get(f"{serving.url}/{NAME}/v2/models/xray/ready", headers=headers, timeout=30)
    assert ready.status_code == 200
    other = requests.post(f"{serving.url}/{NAME}/v1/models/xray-types:predict", json={}, headers=headers, timeout=30)
    assert other.status_code == 404


def test_what_does_not_fit_the_graph_is_refused_before_a_node_is_asked(serving: Gateway) -> None:
    answer = ask(serving, [[1.0, 2.0]])
    assert answer.status_code == 422
    assert serving.recorded() == []


def test_nodes_of_redacted_input_do_not_tell_it(gateway: Gateway, sockets: dict[str, Path]) -> None:
    gateway.publish({NAME: entry(sockets, redact=[""])})
    assert ask(gateway, xray.held_out()[0]["image"]).status_code == 200
    (record,) = gateway.recorded()
    scale = record["nodes"][0]
    assert (scale["node"], scale["withheld"], "outputs" in scale) == ("scale", True, False)
    detect = record["nodes"][1]
    assert (detect["node"], detect["withheld"], "outputs" in detect) == ("detect", True, False)
    assert record["outputs"]


WINES: dict[str, Any] = {
    "start": "both",
    "nodes": {
        "both": {"kind": "combiner", "of": ["first", "moody"], "method": "merge"},
        "first": {"model": "first"},
        "moody": {"model": "moody"},
    },
}


def wines(replicas: dict[str, Path], graph: dict[str, Any], number: int = 1, **more: Any) -> dict[str, Any]:
    versions = {"first": 1, "moody": 2}
    sockets = {"first": replicas["one"], "moody": replicas["moody"]}
    targets = [{**target(name, versions[name], sockets[name], weight=0), "role": "node"} for name in versions]
    return {**endpoint(number, *targets), "graph": graph_of(graph, versions), **more}


def changed(**node: Any) -> dict[str, Any]:
    return {**WINES, "nodes": {**WINES["nodes"], "moody": {**WINES["nodes"]["moody"], **node}}}


def test_a_node_that_fails_fails_its_request_alone_and_is_named(gateway: Gateway, replicas: dict[str, Path]) -> None:
    gateway.publish({"acme/wine": wines(replicas, WINES)})
    records = [{**RECORD, "alcohol": -1 if number == 3 else 13} for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(gateway.predict, records))
    assert [answer.status_code for answer in found] == [200] * 3 + [502] + [200] * 4
    assert set(found[0].json()["predictions"][0]) == {"first", "moody"}
    assert "The node moody (moody version 2)" in found[3].json()["detail"]
    assert found[3].json()["errors"][0]["field"] == "nodes.moody"
    failed = next(one for one in gateway.recorded() if one["status"] == 502)
    assert failed["id"] == found[3].headers["X-Modelwright-Prediction-Id"]
    assert failed["error"]["message"].startswith("moody: ")
    assert {step["node"]: "error" in step for step in failed["nodes"]}["moody"] is True


def test_where_a_node_may_fail_the_rest_answers_and_a_time_of_its_own_is_kept(
    gateway: Gateway, replicas: dict[str, Path]
) -> None:
    gateway.publish({"acme/wine": wines(replicas, changed(if_failed="skip", timeout="300ms"))})
    for alcohol, code in ((-1, "model_error"), (-2, "timed_out")):
        answer = gateway.predict({**RECORD, "alcohol": alcohol})
        assert (answer.status_code, list(answer.json()["predictions"][0])) == (200, ["first"])
        steps = {step["node"]: step for step in gateway.recorded()[-1]["nodes"]}
        assert steps["moody"]["error"]["code"] == code


def test_the_fallback_of_the_endpoint_answers_for_a_graph_that_fails(
    gateway: Gateway, replicas: dict[str, Path]
) -> None:
    rule = {
        "when": [{"column": "alcohol", "below": 0}],
        "then": {"prediction": "water"},
        "otherwise": {"prediction": "?"},
    }
    gateway.publish({"acme/wine": wines(replicas, WINES, fallback={"kind": "rule", "rule": rule})})
    answer = gateway.predict({**RECORD, "alcohol": -1})
    assert (answer.status_code, answer.json()["predictions"]) == (200, ["water"])
    (record,) = gateway.recorded()
    assert record["fallback"] == "model_error"
    assert {step["node"] for step in record["nodes"]} == {"first", "moody"}


def test_no_request_is_lost_while_graphs_and_versions_take_turns(gateway: Gateway, replicas: dict[str, Path]) -> None:
    alone = target("first", 1, replicas["one"])
    tables = [wines(replicas, WINES, 1), endpoint(2, alone), wines(replicas, changed(if_failed="skip"), 3)]
    gateway.publish({"acme/wine": tables[0]})
    codes: list[int] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            codes.append(gateway.predict(RECORD).status_code)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(12):
        gateway.publish({"acme/wine": tables[turn % 3]})
    wait_for(lambda: len(codes) > 50)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(codes) == {200}
    assert len({record["id"] for record in gateway.recorded()}) == len(codes)


def test_a_node_without_a_replica_is_told_and_makes_the_graph_not_ready(
    gateway: Gateway, replicas: dict[str, Path], start_server: Callable[..., ModelServer], processes: list[Process]
) -> None:
    server = start_server("two", "leaving").ready()
    gateway.publish({"acme/wine": wines({**replicas, "moody": server.socket}, WINES)})
    assert gateway.predict(RECORD).status_code == 200
    server.stop(signal.SIGKILL)
    wait_for(lambda: gateway.ready()["endpoints_without_replica"] == 1)
    answer = gateway.predict(RECORD)
    assert answer.status_code == 503, answer.text


def test_a_graph_that_is_none_is_that_endpoints_trouble_alone(gateway: Gateway, replicas: dict[str, Path]) -> None:
    broken = wines(replicas, {**WINES, "start": "nowhere"})
    gateway.publish({"acme/wine": endpoint(1, target("first", 1, replicas["one"])), "acme/broken": broken})
    assert "nowhere" in str(gateway.ready()["routes_error"])
    assert gateway.predict(RECORD).status_code == 200
