"""Traces through gateway and model server, as a collector sees them."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind

from models.gateway.tracing import parent_of
from tests.gateway.collector import Collector, Span, collecting
from tests.gateway.processes import RECORD, ROOT, Gateway, endpoint, target, wait_for

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"

StartGateway = Callable[..., Gateway]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


def traced(collector: Collector, start_gateway: StartGateway, ratio: str, *sockets: Path) -> Gateway:
    gateway = start_gateway("--traces-url", collector.url, "--traces-ratio", ratio)
    gateway.publish({"acme/wine": endpoint(4, target("wine", 2, *sockets))})
    return gateway


def by_name(spans: list[Span], name: str) -> Span:
    (found,) = [span for span in spans if span.name == name]
    return found


@pytest.mark.slow
def test_a_trace_goes_on_through_gateway_and_model_server(
    collector: Collector, start_gateway: StartGateway, replicas: dict[str, Path]
) -> None:
    gateway = traced(collector, start_gateway, "0", replicas["one"])
    gateway.predict(RECORD)
    gateway.predict(RECORD, headers={"traceparent": f"00-{'a' * 32}-{CALLER}-00"})
    answer = gateway.predict(RECORD, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"}).json()
    wait_for(lambda: len(collector.spans) >= 4, what="four spans")
    gateway.stop()
    spans = collector.spans
    assert {span.trace_id for span in spans} == {TRACE}
    assert len(spans) == 4
    request, queue = by_name(spans, "POST /acme/wine"), by_name(spans, "queue")
    replica, predict = by_name(spans, "replica"), by_name(spans, "predict")
    assert [span.parent_id for span in (request, queue, replica, predict)] == [
        CALLER,
        request.span_id,
        request.span_id,
        replica.span_id,
    ]
    assert {span.service for span in (request, queue, replica)} == {"modelwright-gateway"}
    assert predict.service == "modelwright-model-server"
    # OTLP counts kinds from one.
    assert [request.kind, replica.kind, predict.kind] == [
        SpanKind.SERVER.value + 1,
        SpanKind.CLIENT.value + 1,
        SpanKind.SERVER.value + 1,
    ]
    assert request.start <= queue.start <= queue.end == replica.start <= predict.start
    assert predict.start < predict.end <= replica.end <= request.end
    assert request.attributes["modelwright.prediction_id"] == answer["prediction_id"]
    assert (request.attributes["modelwright.version"], request.attributes["http.response.status_code"]) == (2, 200)
    assert predict.attributes["modelwright.batch_rows"] == 1
    assert [record.get("trace_id") for record in gateway.recorded()] == [None, "a" * 32, TRACE]


@pytest.mark.slow
def test_a_share_of_requests_is_traced_by_itself_and_one_batch_links_its_requests(
    collector: Collector, start_gateway: StartGateway, replicas: dict[str, Path]
) -> None:
    gateway = traced(collector, start_gateway, "1", replicas["one"])
    gateway.predict(RECORD)
    together = threading.Barrier(12)

    def ask(number: int) -> int:
        together.wait()
        return gateway.predict({**RECORD, "alcohol": 11 + number}).status_code

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for _ in range(3):
            assert set(pool.map(ask, range(12))) == {200}
    gateway.stop()
    spans = collector.spans
    requests = {span.span_id: span for span in spans if span.name == "POST /acme/wine"}
    assert len(requests) == 37
    assert len({span.trace_id for span in spans}) == 37
    assert {record["trace_id"] for record in gateway.recorded()} == {span.trace_id for span in spans}
    shared = [span for span in spans if span.name == "replica" and span.links]
    assert shared
    for span in shared:
        assert span.attributes["modelwright.batch_rows"] == len(span.links) + 1
        assert all(requests[link].trace_id != span.trace_id for link in span.links)


@pytest.mark.slow
def test_what_the_model_fails_is_an_error_of_its_trace(
    collector: Collector, start_gateway: StartGateway, replicas: dict[str, Path]
) -> None:
    gateway = traced(collector, start_gateway, "1", replicas["moody"])
    assert gateway.predict({**RECORD, "alcohol": -1}).status_code == 502
    assert gateway.predict({**RECORD, "alcohol": "much"}).status_code == 422
    gateway.stop()
    first, second = (span for span in collector.spans if span.name == "POST /acme/wine")
    assert (first.is_error, first.attributes["http.response.status_code"]) == (True, 502)
    assert (second.is_error, second.attributes["http.response.status_code"]) == (False, 422)


@pytest.mark.slow
def test_the_nodes_of_a_graph_have_spans_below_the_requests(
    collector: Collector, start_gateway: StartGateway, replicas: dict[str, Path]
) -> None:
    versions = {number: target("wine", number, replicas[name]) for number, name in ((1, "one"), (2, "moody"))}
    nodes = {
        f"n{number}": {"model": "wine", "version": number, "model_version_id": version["model_version_id"]}
        for number, version in versions.items()
    }
    graph = {"start": "n1", "nodes": {"n1": {**nodes["n1"], "then": "n2"}, "n2": nodes["n2"]}}
    gateway = start_gateway("--traces-url", collector.url, "--traces-ratio", "1")
    parts = [{**version, "weight": 0, "role": "node"} for version in versions.values()]
    gateway.publish({"acme/wine": {**endpoint(4, *parts), "graph": graph}})
    answer = wait_for(lambda: (got := gateway.predict(RECORD)).status_code == 200 and got, what="replicas").json()
    assert gateway.predict({**RECORD, "alcohol": -1}).status_code == 502
    gateway.stop()
    assert "ended span" not in gateway.text()
    *_, whole, failed = (span for span in collector.spans if span.name == "POST /acme/wine")
    assert whole.attributes["modelwright.prediction_id"] == answer["prediction_id"]
    assert whole.attributes["modelwright.version"] == 4
    first, second = children(collector, whole)
    assert [span.name for span in (first, second)] == ["node n1", "node n2"]
    assert [span.attributes["modelwright.version"] for span in (first, second)] == [1, 2]
    assert whole.start <= first.start < first.end <= second.start < second.end <= whole.end
    for node in (first, second):
        queue, replica = children(collector, node)
        assert [queue.name, replica.name] == ["queue", "replica"]
        assert [span.name for span in children(collector, replica)] == ["predict"]
    assert [span.is_error for span in (whole, first, second)] == [False] * 3
    assert [span.is_error for span in (failed, *children(collector, failed))] == [True, False, True]


def children(collector: Collector, parent: Span) -> list[Span]:
    return sorted((span for span in collector.spans if span.parent_id == parent.span_id), key=lambda span: span.start)


@pytest.mark.slow
def test_predictions_do_not_care_whether_the_collector_answers(
    start_gateway: StartGateway, replicas: dict[str, Path]
) -> None:
    gateway = start_gateway("--traces-url", "http://127.0.0.1:9", "--traces-ratio", "1")
    gateway.publish({"acme/wine": endpoint(4, target("wine", 2, replicas["one"]))})
    assert gateway.predict(RECORD).status_code == 200
    assert gateway.stop() == 0


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    script = "import sys, models.gateway.__main__; sys.exit('opentelemetry' in sys.modules)"
    path = {"PYTHONPATH": ":".join(str(ROOT / part) for part in (".", "platform", "platform/runtime"))}
    assert subprocess.run([sys.executable, "-c", script], env=path, cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{CALLER}",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"00-{TRACE}-{CALLER}-01-more",
    ],
)
def test_a_header_that_names_no_trace_is_as_if_there_were_none(header: str) -> None:
    assert parent_of(header) is None


def test_a_header_of_a_later_version_is_understood() -> None:
    assert parent_of(f"01-{TRACE}-{CALLER}-03-more") is not None
