"""Canaries, pins, shadows and fallbacks with a real gateway and real models."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gateway.processes import KEY, RECORD, Gateway, endpoint, target, wait_for

pytestmark = pytest.mark.slow

RULE = {
    "when": [{"column": "alcohol", "below": 0}],
    "then": {"prediction": "ask a human"},
    "otherwise": {"prediction": "accept"},
}
BY_RULE = {"kind": "rule", "rule": RULE}
FAILS, SLEEPS = {**RECORD, "alcohol": -1}, {**RECORD, "alcohol": -2}


def in_role(version: int, role: str, *sockets: Path, weight: int = 100) -> dict[str, Any]:
    return {**target("wine", version, *sockets, weight=weight), "role": role}


@pytest.fixture(scope="module")
def gateway(short_directory: Path, replicas: dict[str, Path]) -> Iterator[Gateway]:
    """One gateway for all; each endpoint is a case."""
    directory = short_directory / "roles"
    directory.mkdir()
    one, two, moody = (replicas[name] for name in ("one", "two", "moody"))
    canary = in_role(2, "canary", two, weight=0)
    half, other = in_role(1, "live", one, weight=50), in_role(2, "live", two, weight=50)
    keys = {"keys": {"id of mwk_pinned": canary["model_version_id"]}}
    entries = {
        "header": endpoint(1, half, other) | {"routing": {"assign": {"by": "header", "name": "x-user-id"}}},
        "column": endpoint(1, half, other) | {"routing": {"assign": {"by": "column", "name": "region"}}},
        "pins": endpoint(1, in_role(1, "live", one), canary, keys=(KEY, "mwk_pinned")) | {"routing": {"pins": keys}},
        "rule": endpoint(1, in_role(1, "live", moody)) | {"fallback": BY_RULE},
        "version": endpoint(1, in_role(1, "live", moody), in_role(2, "fallback", two))
        | {"fallback": {"kind": "version"}},
        "both-fail": endpoint(1, in_role(1, "live", moody), in_role(2, "fallback", moody))
        | {"fallback": {"kind": "version"}},
        "gone": endpoint(1, in_role(1, "live", directory / "nothing.sock")) | {"fallback": BY_RULE},
        "stopped": endpoint(1, in_role(1, "live")) | {"fallback": BY_RULE, "state": "stopped"},
        "stopped-version": endpoint(1, in_role(1, "live"), in_role(2, "fallback", two))
        | {"fallback": {"kind": "version"}, "state": "stopped"},
        "shadow": endpoint(1, in_role(1, "live", one), in_role(2, "shadow", two), in_role(3, "shadow", moody)),
        "other-columns": endpoint(1, in_role(1, "live", one), _of_other_columns(two)),
    }
    running = Gateway(directory, "--timeout", "2")
    try:
        running.publish({f"acme/{name}": entry for name, entry in entries.items()})
        for name in ("header", "version", "shadow"):
            wait_for(lambda name=name: running.predict(RECORD, name=f"acme/{name}").status_code == 200)  # type: ignore[misc]
        yield running
        assert "Traceback" not in running.text()
    finally:
        running.stop(signal.SIGKILL)


def _of_other_columns(socket: Path) -> dict[str, Any]:
    signature = {"inputs": [{"name": "sugar", "type": "double", "required": True}], "outputs": []}
    return {**target("wine", 2, socket, signature=signature), "role": "shadow"}


def record_of(gateway: Gateway, response: requests.Response) -> dict[str, Any]:
    """What is on record of the answer."""
    id_ = response.headers["X-Modelwright-Prediction-Id"]
    (found,) = (record for record in gateway.recorded() if record["id"] == id_)
    return found


def test_a_user_meets_one_version_and_users_are_shared_out(gateway: Gateway) -> None:
    versions: dict[str, set[int]] = defaultdict(set)
    for number in range(120):
        user = f"user-{number % 40}"
        answer = gateway.predict(RECORD, name="acme/header", headers={"X-User-Id": user})
        versions[user].add(answer.json()["version"])
    assert all(len(met) == 1 for met in versions.values())
    shares = Counter(version for met in versions.values() for version in met)
    assert min(shares[1], shares[2]) >= 6
    record = record_of(gateway, answer)
    assert record["assignment"]["by"] == "unit"
    assert len(record["assignment"]["unit"]) == 32
    assert "user-39" not in str(record)


def test_a_column_assigns_in_every_protocol(gateway: Gateway) -> None:
    for region in ("north", "south", "east", "west"):
        record = {**RECORD, "region": region}
        own = {gateway.predict(record, name="acme/column").json()["version"] for _ in range(4)}
        assert len(own) == 1
        columns = [
            {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
            for name, value in record.items()
        ]
        v2 = requests.post(
            f"{gateway.url}/acme/column/v2/models/column/infer",
            json={"inputs": columns},
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=30,
        )
        assert {int(v2.json()["model_version"])} == own, v2.text


def test_a_pin_by_header_or_key_reaches_a_canary_of_weight_0(gateway: Gateway) -> None:
    def ask(version: str = "", key: str = KEY) -> requests.Response:
        headers = {"X-Modelwright-Version": version} if version else {}
        return gateway.predict(RECORD, name="acme/pins", key=key, headers=headers)

    assert [ask().json()["version"] for _ in range(5)] == [1] * 5
    assert [ask("2").json()["version"] for _ in range(3)] == [2] * 3
    assert ask("wine/2").json()["predictions"][0].startswith("two")
    by_key = ask(key="mwk_pinned")
    assert by_key.json()["version"] == 2
    assert ask("1", key="mwk_pinned").json()["version"] == 1
    refused = ask("3")
    assert refused.status_code == 404
    assert "wine version 1, wine version 2" in refused.json()["detail"]
    assert record_of(gateway, ask("2"))["assignment"] == {"by": "header"}
    assert (record_of(gateway, by_key)["role"], record_of(gateway, by_key)["assignment"]) == ("canary", {"by": "key"})


def test_a_rule_answers_what_the_model_fails(gateway: Gateway) -> None:
    answer = gateway.predict(FAILS, RECORD, name="acme/rule")
    assert answer.status_code == 200
    assert answer.headers["X-Modelwright-Fallback"] == "model_error"
    assert answer.json()["predictions"] == ["ask a human", "accept"]
    assert answer.json()["fallback"] == "model_error"
    record = record_of(gateway, answer)
    assert record["served_by"].startswith("rule:")
    assert (record["role"], record["fallback"], record["status"]) == ("live", "model_error", 200)
    assert "alcohol cannot be negative" in record["error"]["message"]
    fine = gateway.predict(RECORD, name="acme/rule")
    assert "X-Modelwright-Fallback" not in fine.headers
    assert "role" not in record_of(gateway, fine)


def test_a_rule_answers_when_the_model_is_too_slow_or_away(gateway: Gateway) -> None:
    slow = gateway.predict(SLEEPS, name="acme/rule")
    assert (slow.status_code, slow.headers["X-Modelwright-Fallback"]) == (200, "timed_out")
    away = gateway.predict(RECORD, name="acme/gone")
    assert (away.status_code, away.headers["X-Modelwright-Fallback"]) == (200, "no_replica")
    assert away.json()["predictions"] == ["accept"]


def test_no_fallback_answers_what_does_not_fit_or_is_refused(gateway: Gateway) -> None:
    for name in ("acme/gone", "acme/stopped", "acme/rule"):
        unfit = gateway.predict({"alcohol": "much"}, name=name)
        assert (unfit.status_code, "X-Modelwright-Fallback" in unfit.headers) == (422, False)
        assert gateway.predict(RECORD, name=name, key="wrong").status_code == 401


def test_another_version_answers_what_the_model_fails(gateway: Gateway) -> None:
    answer = gateway.predict(FAILS, name="acme/version")
    assert (answer.status_code, answer.headers["X-Modelwright-Fallback"]) == (200, "model_error")
    assert answer.json()["version"] == 2
    record = record_of(gateway, answer)
    assert (record["role"], record["fallback"]) == ("fallback", "model_error")
    assert record["model_version_id"].endswith("2")
    assert record["assignment"]["instead_of"].endswith("1")
    late = gateway.predict(SLEEPS, name="acme/version")
    assert (late.status_code, late.json()["version"]) == (200, 2)


def test_when_the_fallback_fails_too_the_client_hears_it(gateway: Gateway) -> None:
    answer = gateway.predict(FAILS, name="acme/both-fail")
    assert answer.status_code == 502
    record = record_of(gateway, answer)
    assert (record["role"], record["status"], record["fallback"]) == ("fallback", 502, "model_error")


def test_a_stopped_endpoint_is_answered_by_its_fallback_alone(gateway: Gateway) -> None:
    for name, expected in (("acme/stopped", "accept"), ("acme/stopped-version", "two")):
        answer = gateway.predict(RECORD, name=name)
        assert (answer.status_code, answer.headers["X-Modelwright-Fallback"]) == (200, "stopped"), answer.text
        assert answer.json()["predictions"][0].startswith(expected)
    assert gateway.ready()["endpoints_without_replica"] == 1


def test_shadows_are_asked_after_the_answer_and_only_the_record_knows(gateway: Gateway) -> None:
    answer = gateway.predict(RECORD, RECORD, name="acme/shadow")
    failing = gateway.predict(FAILS, name="acme/shadow")
    assert (answer.json()["version"], failing.json()["version"]) == (1, 1)

    def of(response: requests.Response) -> dict[str, dict[str, Any]]:
        id_ = response.json()["prediction_id"]
        found = [record for record in gateway.recorded() if record.get("shadow_of") == id_]
        return {record["model_version_id"][-1]: record for record in found}

    wait_for(lambda: len(of(answer)) == len(of(failing)) == 2, what="two records of shadows each")
    two, moody = of(answer)["2"], of(failing)["3"]
    assert (two["role"], two["status"], two["rows"]) == ("shadow", 200, 2)
    assert [text.split(":")[0] for text in two["outputs"]] == ["two", "two"]
    assert two["inputs"] == [RECORD, RECORD]
    assert (moody["role"], moody["status"]) == ("shadow", 502)
    assert "negative" in moody["error"]["message"]
    metrics = requests.get(f"{gateway.url}/metrics", timeout=30).text
    assert 'modelwright_gateway_shadows_total{endpoint="acme/shadow",outcome="asked"}' in metrics
    (served,) = (
        line for line in metrics.splitlines()
        if line.startswith('modelwright_gateway_request_seconds_count{endpoint="acme/shadow"}')
    )  # fmt: skip
    answered = [record for record in gateway.recorded() if record["deployment_id"] and "shadow_of" not in record]
    assert float(served.split()[-1]) < len(answered)


def test_what_does_not_fit_a_shadow_is_on_record_as_its_failure(gateway: Gateway) -> None:
    answer = gateway.predict(RECORD, name="acme/other-columns")
    assert answer.status_code == 200
    found = wait_for(
        lambda: [one for one in gateway.recorded() if one.get("shadow_of") == answer.json()["prediction_id"]]
    )
    assert (found[0]["status"], found[0]["error"]["code"]) == (422, "does_not_fit")
    assert "sugar" in found[0]["error"]["message"]
