"""What the gateway tells of how many requests it answered, and how many it should have."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

from models.gateway.availability import KIND, Availability
from models.gateway.metrics import Metrics
from models.gateway.routes import EMPTY, RouteTable, parse
from models.gateway.spool import list_segments, read_records
from models.gateway.spool_writer import SpoolWriter
from tests.gateway.processes import KEY, RECORD, SIGNATURE, Gateway, endpoint, target, wait_for

MINUTE = 1_800_000_000
ENDPOINT = "00000000-0000-7000-8000-00000000000e"


@pytest.fixture
def table() -> RouteTable:
    return parse(orjson.dumps({"revision": 1, "endpoints": {"acme/wine": endpoint(1, target("one", 1))}}))


def told(directory: Path) -> list[dict[str, Any]]:
    return [record for segment in list_segments(directory) for record, _ in read_records(segment.path)]


def figures(record: dict[str, Any]) -> tuple[int, int, int, int]:
    return record["minute"], record["answered"], record["refused"], record["failed"]


def test_a_record_says_how_the_minute_stands(tmp_path: Path, table: RouteTable) -> None:
    counts, metrics, spool = Availability("g"), Metrics(), SpoolWriter(tmp_path, "g")
    assert counts.report(table, metrics, spool, MINUTE + 1) == 0, "nothing has changed"
    for status in (200, 200, 422, 401, 429, 503):
        metrics.count("acme/wine", status)
    metrics.count("", 404)
    assert counts.report(table, metrics, spool, MINUTE + 2) == 1
    metrics.count("acme/wine", 200)
    metrics.count("acme/wine", 202)
    metrics.is_other("acme/wine", 202)
    assert counts.report(table, metrics, spool, MINUTE + 59) == 1
    assert counts.report(EMPTY, metrics, spool, MINUTE + 61) == 0
    metrics.count("acme/wine", 502)
    assert counts.report(EMPTY, metrics, spool, MINUTE + 62) == 1, "also of one that the table does not name any more"
    records = told(tmp_path)
    assert [figures(each) for each in records] == [(MINUTE, 2, 1, 1), (MINUTE, 3, 1, 1), (MINUTE + 60, 0, 0, 1)]
    assert {(each["kind"], each["endpoint_id"], each["source"]) for each in records} == {
        (KIND, ENDPOINT, records[0]["source"])
    }
    assert Availability("g").report(EMPTY, Metrics(), spool, MINUTE) == 0


def test_what_a_full_spool_does_not_take_is_told_afterwards(tmp_path: Path, table: RouteTable) -> None:
    counts, metrics = Availability("g"), Metrics()
    full = SpoolWriter(tmp_path / "full", "g", limit_bytes=0)
    for minute in range(3):
        metrics.count("acme/wine", 503)
        assert counts.report(table, metrics, full, MINUTE + 60 * minute) == 0
    assert counts.report(table, metrics, SpoolWriter(tmp_path / "free", "g"), MINUTE + 180) == 3
    assert [figures(each) for each in told(tmp_path / "free")] == [(MINUTE + 60 * n, 0, 0, 1) for n in range(3)]


def test_a_gateway_tells_it_by_itself_and_what_is_left_when_it_ends(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.publish({"acme/wine": endpoint(1, target("one", 1, tmp_path / "nobody.sock", signature=SIGNATURE))})

    def failed() -> int:
        minutes = {(each["source"], each["minute"]): each["failed"] for each in gateway.spooled()}
        return sum(minutes.values())

    try:
        wait_for(lambda: gateway.predict(RECORD).status_code == 503)
        wait_for(failed)
        before = failed()
        assert gateway.predict(RECORD, key="wrong").status_code == 401
        assert gateway.predict({"alcohol": "much"}).status_code in (422, 503)
        assert gateway.predict(RECORD, key=KEY).status_code == 503
    finally:
        gateway.stop(signal.SIGTERM)
    assert failed() > before
    assert gateway.recorded() == []
