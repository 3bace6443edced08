"""How much waits in the spool, and since when, is seen where health is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from models.predictions import spool_health
from models.predictions.models import SpoolState
from modelwright.compute.models import Host
from tests.predictions.test_shipping import ship_all, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def gateway(settings: Any) -> Iterator[Callable[[int, dict[str, Any]], None]]:
    """Answers `/health/ready` as it is told."""
    said: list[tuple[int, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = said[-1]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.GATEWAY_INTERNAL_URL = f"http://127.0.0.1:{server.server_port}"
    yield lambda status, body: said.append((status, json.dumps(body).encode()))
    server.shutdown()
    server.server_close()


def checks() -> dict[str, str]:
    found: dict[str, str] = Client().get("/health/ready").json()["checks"]
    return found


def test_what_waits_is_measured(spool: Path, make_record: Any) -> None:
    assert spool_health.measure(spool) == (0, None)
    old = make_record(at=timezone.now().timestamp() - 500)
    write(spool, [make_record()])
    write(spool, [old, make_record()], sequence=2)
    size, oldest = spool_health.measure(spool)
    assert size == sum(path.stat().st_size for path in spool.iterdir())
    assert oldest is not None
    assert oldest.timestamp() == pytest.approx(old["at"], abs=1e-3)
    ship_all(spool)
    assert spool_health.measure(spool) == (0, None)


def test_health_says_that_answers_wait(spool: Path, make_record: Any) -> None:
    assert checks()["spool"] == "ok"
    write(spool, [make_record(at=timezone.now().timestamp() - 500)])
    spool_health.Noting(spool).note()
    assert "the oldest answer for 50" in checks()["spool"]
    ship_all(spool)
    spool_health.Noting(spool).note()
    assert checks()["spool"] == "ok"
    SpoolState.objects.update(seen_at=timezone.now() - 2 * spool_health.SILENT)
    assert "has said nothing for 12" in checks()["spool"]


def test_health_says_that_the_gateway_refuses(gateway: Callable[[int, dict[str, Any]], None]) -> None:
    gateway(200, {"status": "ready", "revision": 1})
    assert checks()["gateway"] == "ok"
    gateway(503, {"status": "refusing", "revision": 1, "spool": "The spool holds 5 of 4 bytes"})
    assert checks()["gateway"] == "refuses predictions: The spool holds 5 of 4 bytes"


def test_noting_is_seldom(spool: Path, make_record: Any) -> None:
    noting = spool_health.Noting(spool)
    noting.note()
    write(spool, [make_record()])
    noting.note()
    assert SpoolState.objects.get().waiting_bytes == 0


def test_hosts_that_are_gone_are_no_trouble_once_nothing_waits_there(spool: Path) -> None:
    for name, state in (("here", "offline"), ("removed", "removed")):
        Host.objects.create(name=name, cpu=8, memory_bytes=2**34, state=state)
    silent = timezone.now() - 2 * spool_health.SILENT
    for name, waiting in (("here", 0), ("removed", 0), ("removed-with-some", 5), ("renamed", 0)):
        SpoolState.objects.create(host=name, waiting_bytes=waiting, seen_at=silent)
    SpoolState.objects.create(host="not-announced-yet", seen_at=timezone.now())
    fault = spool_health.spool_fault()
    assert [part.split()[3] for part in fault.split("; ")] == ["here", "removed-with-some"]
    spool_health.Noting(spool).note()
    left = set(SpoolState.objects.values_list("host", flat=True))
    assert left == {"here", "removed-with-some", "not-announced-yet", settings.HOST_NAME}
    assert spool_health.spool_fault() == fault
