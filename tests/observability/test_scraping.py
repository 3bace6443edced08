"""`/metrics` of the platform: who may read it, and what it says of real rows, queues and processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from models.predictions.models import SpoolState
from modelwright.celery import app
from modelwright.compute.models import Host
from modelwright.core import counting
from modelwright.core.ticking import Loop, run_loops
from modelwright.observability import scraping, store
from modelwright.observability.models import Count

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def token(tmp_path: Path, settings: Settings) -> Iterator[str]:
    """The installation's, made when somebody asks; and nothing counted before the test."""
    settings.METRICS_TOKEN_FILE = str(tmp_path / "secrets" / "metrics-token")
    counting.take()
    yield scraping.token()
    counting.take()


def scrape(token: str) -> Samples:
    """Every sample by name and labels, as Prometheus reads it."""
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = [s for family in text_string_to_metric_families(answer.content.decode()) for s in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    """Of the one series of that name with at least these labels."""
    (found,) = [amount for (own, have), amount in samples.items() if own == name and set(labels.items()) <= have]
    return found


def told(declared: counting.Declared) -> QuerySet[Count, float]:
    """The sums of one counter; what threads that earlier tests left behind count is none of a test's business."""
    return Count.objects.filter(name=declared.name).values_list("value", flat=True)


def test_only_who_knows_the_token_reads_metrics(token: str) -> None:
    for wrong in ("", "Bearer", f"Basic {token}", "Bearer x", f"Bearer {token}x", "Bearer \u00fc"):
        answer = Client().get("/metrics", headers={"Authorization": wrong})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert b"MODELWRIGHT_METRICS_TOKEN_FILE" in answer.content
    path = Path(settings.METRICS_TOKEN_FILE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert scraping.token() == token == path.read_text().strip()
    assert [each.name for each in path.parent.iterdir()] == ["metrics-token"]


@pytest.mark.django_db
def test_it_says_how_the_platform_stands(token: str) -> None:
    Host.objects.create(name='a "host"', cpu=8, memory_bytes=2**34, gpus=[{"index": 0}])
    now = timezone.now()
    facts = {"waiting_bytes": 5, "oldest_at": now - timedelta(seconds=70), "seen_at": now}
    SpoolState.objects.create(host="b", **facts)
    samples = scrape(token)
    assert value(samples, "modelwright_up", part="database") == 1
    assert value(samples, "modelwright_up", part="broker") == 1
    assert value(samples, "modelwright_up", part="spool") == 0
    assert value(samples, "modelwright_up", part="tracking") == 0
    assert value(samples, "modelwright_host_cpu", host='a "host"') == 8
    assert value(samples, "modelwright_host_reserved_cpu", host='a "host"') == 0
    assert value(samples, "modelwright_host_gpus", host='a "host"') == 1
    assert value(samples, "modelwright_host_heartbeat_age_seconds", host='a "host"') < 60
    assert value(samples, "modelwright_hosts", state="active") == Host.objects.filter(state="active").count()
    assert value(samples, "modelwright_database_bytes") > 1_000_000
    assert value(samples, "modelwright_spool_waiting_bytes", host="b") == 5
    assert value(samples, "modelwright_spool_oldest_seconds", host="b") == pytest.approx(70, abs=30)
    assert value(samples, "modelwright_scrape_seconds") < 60


@pytest.mark.django_db
def test_messages_that_wait_for_a_worker_are_counted(token: str) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    before = value(scrape(token), "modelwright_queue_messages", queue="default")
    client.rpush("default", "a message")
    try:
        assert value(scrape(token), "modelwright_queue_messages", queue="default") == before + 1
    finally:
        client.lrem("default", 1, "a message")
        client.close()


@pytest.mark.django_db
def test_a_broker_that_is_gone_takes_nothing_else_with_it(token: str, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    samples = scrape(token)
    assert value(samples, "modelwright_up", part="broker") == 0
    assert value(samples, "modelwright_up", part="database") == 1
    assert not [name for name, _ in samples if name == "modelwright_queue_messages"]


@pytest.mark.django_db(transaction=True)
def test_requests_are_counted_by_route_whatever_people_ask_for(token: str) -> None:
    for address in ("/health/live", "/no/such/page", f"/{'x' * 900}", "/static/css/base.css"):
        Client().get(address)
    Client().generic("SPACESHIP", "/health/live")
    counting.flush()
    samples = scrape(token)
    name = "modelwright_web_requests_total"
    assert value(samples, name, route="health-live", method="GET", status="200") == 1
    assert value(samples, name, route="health-live", method="other") == 1
    assert value(samples, name, route="none", method="GET", status="404") == 2
    assert value(samples, name, route="static", status="200") == 1
    assert value(samples, "modelwright_web_request_seconds_count", route="health-live") == 2
    assert value(samples, "modelwright_web_request_seconds_bucket", route="health-live", le="+Inf") == 2


@pytest.mark.django_db(transaction=True)
def test_what_several_processes_count_is_added_up_and_never_falls(token: str) -> None:
    for seconds in (0.002, 0.3, 99):
        counting.count(counting.TURNS, loop="a", outcome="done")
        counting.observe(counting.TURN_SECONDS, seconds, loop="a")
        # Each flush is what one process tells; another one knows nothing of it.
        counting.flush()
    counting.flush()
    samples = scrape(token)
    assert value(samples, "modelwright_loop_turns_total", loop="a", host=settings.HOST_NAME) == 3
    buckets = [
        value(samples, "modelwright_loop_turn_seconds_bucket", loop="a", le=le) for le in ("0.0025", "30", "+Inf")
    ]
    assert buckets == [1, 2, 3]
    assert value(samples, "modelwright_loop_turn_seconds_sum", loop="a") == pytest.approx(99.302)


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_tell_at_once_do_not_wait_for_each_other_for_ever() -> None:
    def tell(number: int) -> None:
        for _ in range(20):
            for name in ("a", "b", "c") if number else ("c", "b", "a"):
                counting.count(counting.TURNS, loop=name, outcome="done")
            store.add()
        connection.close()

    threads = [threading.Thread(target=tell, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    store.add()
    assert list(told(counting.TURNS)) == [40, 40, 40]


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_told_now_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    counting.count(counting.SHIPPED, 5)
    with transaction.atomic():
        store.add()
    assert not told(counting.SHIPPED)
    monkeypatch.setattr(store, "_ADD", "SELECT %s + 1 / 0")
    store.add()
    monkeypatch.undo()
    counting.count(counting.SHIPPED, 2)
    store.add()
    assert list(told(counting.SHIPPED)) == [7]


@pytest.mark.django_db(transaction=True)
def test_turns_of_loops_and_tasks_are_counted_by_how_they_end(token: str) -> None:
    stop = threading.Event()

    def fail() -> None:
        raise RuntimeError("broken")

    runner = threading.Thread(
        target=run_loops, args=([Loop("well", lambda: None, 0.01), Loop("unwell", fail, 0.01)], stop)
    )
    runner.start()

    @app.task(name="tests.counted", shared=False)  # type: ignore[untyped-decorator]
    def counted(ok: bool) -> None:
        if not ok:
            raise RuntimeError("broken")

    counted(True)
    with pytest.raises(RuntimeError):
        counted(False)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and Count.objects.filter(name="modelwright_loop_turns_total").count() < 2:
        time.sleep(0.05)
        counting.flush()
    stop.set()
    runner.join(30)
    samples = scrape(token)
    assert value(samples, "modelwright_loop_turns_total", loop="well", outcome="done") > 0
    assert value(samples, "modelwright_loop_turns_total", loop="unwell", outcome="failed") > 0
    assert value(samples, "modelwright_worker_tasks_total", task="tests.counted", outcome="done") == 1
    assert value(samples, "modelwright_worker_tasks_total", task="tests.counted", outcome="failed") == 1
    assert value(samples, "modelwright_worker_task_seconds_count", task="tests.counted") == 2
