"""Metrics of the whole platform after the demo: every process tells, and dashboards ask for what there is."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.stack import Stack, wait_for
from tests.observability.documented import documented
from tests.observability.queries import expressions, load, selectors

ROOT = Path(__file__).resolve().parents[2]
Series = dict[str, list[tuple[dict[str, str], float]]]
# Nothing of it happens in the demo: no failure, no sink, no promise of availability, no shadow, no fallback.
QUIET = {
    "modelwright_shipper_failures_total",
    "modelwright_queue_messages",
    "modelwright_event_posts_total",
    "modelwright_event_post_seconds_count",
    "modelwright_events_delivered_total",
    "modelwright_event_sink_position_lag",
    "modelwright_event_sink_failing_seconds",
    "modelwright_event_sink_dead_letters",
    "modelwright_event_subscriber_lag",
    "modelwright_endpoint_burn_rate",
    "modelwright_availability_alerts",
    "modelwright_gateway_shadows_total",
    "modelwright_gateway_fallbacks_total",
}


def scrape(stack: Stack) -> Series:
    """Every sample of pages and gateway, by name."""
    token = (stack.directory / "secrets" / "metrics-token").read_text().strip()
    found: Series = defaultdict(list)
    for url in (stack.web_url, stack.gateway_url):
        assert requests.get(f"{url}/metrics", timeout=30).status_code == 401
        answer = requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=30)
        answer.raise_for_status()
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                found[sample.name].append((sample.labels, sample.value))
    return found


def total(found: Series, name: str, **labels: str) -> float:
    wanted = labels.items()
    return sum(value for own, value in found[name] if wanted <= own.items())


def test_every_process_tells_what_it_did(stack: Stack) -> None:
    def told() -> bool:
        found = scrape(stack)
        names = {"modelwright_web_requests_total", "modelwright_worker_tasks_total", "modelwright_loop_turns_total"}
        shipped = total(found, "modelwright_shipper_records_total")
        return names <= set(found) and shipped > 0 and total(found, "modelwright_replica_rows_total") > 0

    wait_for("counts of web, worker, watcher and shipper", told)
    found = scrape(stack)
    assert total(found, "modelwright_web_requests_total", status="200") > 10
    assert total(found, "modelwright_worker_tasks_total", outcome="done") > 0
    assert {own["loop"] for own, _ in found["modelwright_loop_turns_total"]} >= {
        "heartbeat",
        "deployments",
        "audit-seal",
    }
    assert {own["part"]: value for own, value in found["modelwright_up"]} == dict.fromkeys(
        ("database", "blobs", "broker", "tracking", "gateway", "spool"), 1
    )
    # Two processes answer on the gateway's port, and tell one sum.
    answered = total(found, "modelwright_gateway_requests_total", status="200")
    assert answered > 0
    # The shipper tells every ten seconds.
    wait_for(
        f"{answered:.0f} answers' records counted by the shipper",
        lambda: total(scrape(stack), "modelwright_shipper_records_total") >= answered,
        seconds=60,
    )
    assert total(found, "modelwright_gateway_request_seconds_count") == answered
    assert total(found, "modelwright_replica_up") >= 1
    assert total(found, "modelwright_host_cpu") > 0


def test_dashboards_and_documents_name_what_there_is(stack: Stack) -> None:
    found = scrape(stack)
    written = {f"{name}_count" if entry.kind == "histogram" else name for name, entry in documented().items()}
    assert written - set(found) <= QUIET
    asked = {
        selector.name
        for path in (ROOT / "grafana" / "dashboards").glob("*.json")
        for text in expressions(load(path))
        for selector in selectors(text)
    }
    assert {name for name in asked if name is not None} - set(found) <= QUIET
