"""`/metrics` of a real gateway before real model servers, read by Prometheus' own parser."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway import environment
from tests.gateway.processes import RECORD, ROOT, Gateway, ModelServer, endpoint, target, wait_for
from tests.observability.documented import documented

INPUTS = [
    {"name": "alcohol", "type": "double", "required": True},
    {"name": "region", "type": "string", "required": True},
]


def scrape(gateway: Gateway, token: str = "") -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by name and labels."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.get(f"{gateway.url}/metrics", headers=headers, timeout=30)
    answer.raise_for_status()
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def value(gateway: Gateway, name: str, **labels: str) -> float:
    """The sum of the samples of that name which have these labels at least."""
    found = [
        amount for key, amount in scrape(gateway).items() if key[0] == name and labels.items() <= dict(key[1]).items()
    ]
    return sum(found)


@pytest.mark.slow
def test_what_a_model_counts_stands_on_the_gateways_metrics(
    start_gateway: Callable[..., Gateway], directory: Path, processes: list[Any]
) -> None:
    model = directory / "counting"
    command = [environment.python(), str(ROOT / "tests" / "gateway" / "counting_model.py"), str(model)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(environment.RUNTIME)})
    server = ModelServer(directory, str(model), "counting")
    processes.append(server)
    gateway = start_gateway()
    served = target("strength", 3, server.ready().socket, signature={"inputs": INPUTS, "outputs": []})
    gateway.publish({"acme/strength": endpoint(1, served)})
    for alcohol, region in ((11.5, "north"), (13.5, "north"), (12.5, 'the "\nsouth')):
        assert gateway.predict({"alcohol": alcohol, "region": region}, name="acme/strength").status_code == 200
    labels = {"endpoint": "acme/strength", "model": "strength", "version": "3"}
    wait_for(lambda: value(gateway, "modelwright_model_newest_strength", **labels) == 12.5, what="a pong")
    # Warming up counts too, with the zero of every column.
    assert value(gateway, "modelwright_model_region_rows_total", region="north", **labels) == 2
    assert value(gateway, "modelwright_model_region_rows_total", region='the "?south', **labels) == 1
    assert value(gateway, "modelwright_model_strength_bucket", le="14", **labels) >= 3
    assert value(gateway, "modelwright_replica_up", **labels) == 1
    assert value(gateway, "modelwright_replica_rows_total", **labels) >= 3
    assert value(gateway, "modelwright_replica_predict_seconds_count", **labels) >= 3
    assert value(gateway, "modelwright_replica_memory_bytes", **labels) > 10_000_000
    assert value(gateway, "modelwright_replica_metrics_refused") == 0
    server.stop()
    wait_for(lambda: value(gateway, "modelwright_replica_up", **labels) == 0, what="the lost replica")


@pytest.mark.slow
def test_the_sums_stay_when_versions_and_endpoints_go(
    start_gateway: Callable[..., Gateway], replicas: dict[str, Path]
) -> None:
    gateway = start_gateway()
    for number, name in ((1, "one"), (2, "two")):
        gateway.publish({"acme/wine": endpoint(number, target("wine", number, replicas[name]))})
        assert gateway.predict(RECORD, RECORD).status_code == 200
    assert value(gateway, "modelwright_gateway_rows_total") == 4
    assert value(gateway, "modelwright_gateway_batch_rows_bucket", le="2", endpoint="acme/wine") == 2
    assert value(gateway, "modelwright_gateway_queue_seconds_count", endpoint="acme/wine") == 2
    assert value(gateway, "modelwright_gateway_request_seconds_count", endpoint="acme/wine") == 2
    assert value(gateway, "modelwright_gateway_waiting_requests", endpoint="acme/wine") == 0
    gateway.publish({})
    assert value(gateway, "modelwright_gateway_rows_total") == 4
    assert [key for key in scrape(gateway) if dict(key[1]).get("endpoint")] == []


@pytest.mark.slow
def test_what_gateway_and_model_server_tell_is_documented_word_for_word(
    start_gateway: Callable[..., Gateway], replicas: dict[str, Path]
) -> None:
    gateway = start_gateway()
    rule = {"when": [{"column": "alcohol", "missing": True}], "then": {"prediction": 1}, "otherwise": {"prediction": 2}}
    shadow = {**target("wine", 2, replicas["two"], weight=0), "role": "shadow"}
    gateway.publish(
        {
            "acme/wine": endpoint(1, target("wine", 1, replicas["one"]), shadow),
            "acme/stopped": endpoint(1, target("wine", 1))
            | {"fallback": {"kind": "rule", "rule": rule}, "state": "stopped"},
        }
    )
    wait_for(lambda: gateway.predict(RECORD).status_code == 200, what="a replica")
    assert gateway.predict(RECORD, name="acme/stopped").json()["fallback"] == "stopped"
    wait_for(lambda: value(gateway, "modelwright_replica_rows_total") > 0, what="a pong")
    told = {}
    text = requests.get(f"{gateway.url}/metrics", timeout=30).text
    for family in text_string_to_metric_families(text):
        # The parser takes the end of a counter's name for granted.
        name = f"{family.name}_total" if family.type == "counter" else family.name
        told[name] = (family.type, {label for sample in family.samples for label in sample.labels} - {"le"})
    written = {name: entry for name, entry in documented().items() if entry.section == "gateway"}
    assert told == {name: (entry.kind, set(entry.labels)) for name, entry in written.items()}


def test_with_a_token_only_who_knows_it_reads_metrics(start_gateway: Callable[..., Gateway], directory: Path) -> None:
    (directory / "token").write_text("the token\n")
    gateway = start_gateway("--metrics-token-file", str(directory / "token"))
    for wrong in ("", "another", "the token and more"):
        headers = {"Authorization": f"Bearer {wrong}"} if wrong else {}
        answer = requests.get(f"{gateway.url}/metrics", headers=headers, timeout=30)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json()["remedy"]
    assert scrape(gateway, "the token")
    assert gateway.ready()["status"] == "ready"


def test_an_empty_token_opens_nothing(start_gateway: Callable[..., Gateway], directory: Path) -> None:
    (directory / "token").write_text("\n")
    with pytest.raises(AssertionError, match="ended with 5"):
        start_gateway("--metrics-token-file", str(directory / "token"))
