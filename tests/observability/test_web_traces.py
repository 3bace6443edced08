"""Traces of requests to the pages, as a collector sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from pytest_django import Settings

from modelwright.asgi import Web
from modelwright.observability.models import Count
from tests.gateway.collector import Collector, collecting

# What a process of `web` has counted, it tells as it ends.
pytestmark = pytest.mark.django_db(transaction=True)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


@pytest.fixture
def collector(settings: Settings) -> Iterator[Collector]:
    with collecting() as started:
        settings.TRACES_URL = started.url
        settings.TRACES_RATIO = 0
        yield started


async def visit(*requests: tuple[str, str]) -> list[int]:
    """Methods with paths, each with a traceparent or none, asked of one process of `web` from its start to its end."""
    web = Web()
    communicate: Any = ApplicationCommunicator
    life = communicate(web, {"type": "lifespan"})
    await life.send_input({"type": "lifespan.startup"})
    await life.receive_output(30)
    statuses = []
    for request, header in requests:
        method, path = request.split(" ")
        headers = [(b"host", b"localhost"), *([(b"traceparent", header.encode())] if header else [])]
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": headers,
        }
        client = communicate(web, scope)
        await client.send_input({"type": "http.request", "body": b""})
        statuses.append((await client.receive_output(30))["status"])
        await client.wait(30)
    await life.send_input({"type": "lifespan.shutdown"})
    await life.receive_output(30)
    return statuses


def test_a_trace_of_the_caller_goes_on_and_others_are_left_alone(collector: Collector) -> None:
    wanted = f"00-{TRACE}-{CALLER}-01"
    statuses = async_to_sync(visit)(
        ("GET /health/live", wanted),
        ("GET /health/live", f"00-{TRACE}-{CALLER}-00"),
        ("GET /health/live", ""),
        ("PUT /mlflow/api/2.0/mlflow/runs/get", wanted),
    )
    assert statuses == [200, 200, 200, 401]
    # A web process of other tests may tell of requests of its own meanwhile; none of them is one like this.
    counted = Count.objects.filter(name="modelwright_web_requests_total", labels__contains='"mlflow"')
    assert [count.value for count in counted.filter(labels__contains='"PUT"')] == [1]
    pages, tracking = collector.spans
    assert {(span.trace_id, span.parent_id, span.service) for span in collector.spans} == {
        (TRACE, CALLER, "modelwright-web")
    }
    assert (pages.name, pages.attributes["http.response.status_code"]) == ("GET health-live", 200)
    assert (tracking.name, tracking.attributes["http.response.status_code"]) == ("PUT mlflow", 401)


def test_without_a_caller_that_says_so_a_share_of_requests_is_traced(collector: Collector, settings: Settings) -> None:
    settings.TRACES_RATIO = 1
    async_to_sync(visit)(("GET /health/live", ""), ("GET /no/such/page", ""))
    assert [(span.name, span.parent_id) for span in collector.spans] == [("GET health-live", ""), ("GET none", "")]
    assert len({span.trace_id for span in collector.spans}) == 2
