"""The data plane whole: real gateway, real model servers, real models."""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gateway.load import Load
from tests.gateway.processes import RECORD, SIGNATURE, Gateway, ModelServer, endpoint, target, wait_for

pytestmark = pytest.mark.slow

StartGateway = Callable[..., Gateway]
StartServer = Callable[..., ModelServer]


@pytest.fixture
def serving(gateway: Gateway, replicas: dict[str, Path]) -> Gateway:
    """A gateway that serves version 1."""
    gateway.publish({"acme/wine": endpoint(3, target("wine", 1, replicas["one"]))})
    return gateway


def test_a_prediction_is_answered_with_its_id_and_recorded_before(serving: Gateway) -> None:
    before = time.time()
    response = serving.predict(RECORD, {**RECORD, "malic_acid": None})
    assert response.status_code == 200
    answer = response.json()
    assert (answer["endpoint"], answer["deployment"]) == ("acme/wine", 3)
    assert (answer["model"], answer["version"]) == ("wine", 1)
    assert [text.split(":")[0] for text in answer["predictions"]] == ["one", "one"]
    for prediction, probabilities in zip(answer["predictions"], answer["probabilities"], strict=True):
        assert sum(probabilities.values()) == pytest.approx(1)
        assert max(probabilities, key=probabilities.__getitem__) == prediction
    (record,) = serving.recorded()
    assert record["id"] == answer["prediction_id"]
    assert before <= record["at"] <= time.time()
    assert record["inputs"] == [RECORD, {**RECORD, "malic_acid": None}]
    assert record["outputs"] == answer["predictions"]
    assert record["probabilities"] == answer["probabilities"]
    assert record["key_id"] == "id of mwk_test"
    assert record["deployment_id"].endswith("d00000000003")
    assert record["model_version_id"].endswith("000000000001")
    assert record["latency_ms"] > 0
    assert record["status"] == 200


def test_values_of_redacted_columns_never_reach_the_disk(gateway: Gateway, replicas: dict[str, Path]) -> None:
    gateway.publish({"acme/wine": {**endpoint(3, target("wine", 1, replicas["one"])), "redact": ["proline"]}})
    asked = [{**RECORD, "proline": value} for value in (987654321, 987654321, 12)]
    answer = gateway.predict(*asked)
    assert answer.status_code == 200
    assert [len(probabilities) for probabilities in answer.json()["probabilities"]] == [3, 3, 3]
    first, second, third = (record["proline"] for record in gateway.recorded()[0]["inputs"])
    assert first == second != third
    assert set(first) == {"redacted"}
    for path in gateway.directory.rglob("*"):
        assert path.is_dir() or path.is_socket() or b"987654321" not in path.read_bytes()


def test_what_is_refused_is_not_recorded(serving: Gateway) -> None:
    for response in (
        serving.predict({**RECORD, "proline": True}),
        serving.predict(RECORD, key="wrong"),
        serving.predict(RECORD, name="acme/beer"),
        serving.predict(json=None, data="{"),
        serving.predict(json=None, data=b"x" * 6_000_000),
    ):
        assert 400 <= response.status_code < 500
    assert serving.predict(RECORD).status_code == 200
    assert len(serving.recorded()) == 1


def test_a_model_that_raises_fails_only_its_own_request(gateway: Gateway, replicas: dict[str, Path]) -> None:
    gateway.publish({"acme/wine": endpoint(1, target("moody", 1, replicas["moody"]))})
    records: list[dict[str, Any]] = [
        {**RECORD, "alcohol": -1 if number % 8 == 3 else 12 + number / 10} for number in range(32)
    ]
    records[5]["alcohol"] = -4
    with ThreadPoolExecutor(32) as pool:
        responses = list(pool.map(gateway.predict, records))
    for record, response in zip(records, responses, strict=True):
        if record["alcohol"] > 0:
            assert response.status_code == 200
        else:
            assert response.status_code == 502
            said = "a model that leaves" if record["alcohol"] == -4 else "alcohol cannot be negative"
            assert said in response.json()["detail"]
    recorded = {record["id"]: record for record in gateway.recorded()}
    assert len(recorded) == len(records)
    for response in (each for each in responses if each.status_code == 502):
        failed = recorded[response.headers["X-Modelwright-Prediction-Id"]]
        assert (failed["status"], failed["outputs"], failed["error"]["code"]) == (502, [], "model_error")
        assert failed["error"]["message"] in response.json()["detail"]


def test_many_clients_share_batches(serving: Gateway) -> None:
    with Load(serving, clients=32) as load:
        wait_for(lambda: len(load.answers) > 600)
    assert (load.refused, load.broken) == ([], [])
    text = requests.get(serving.url + "/metrics", timeout=30).text
    totals = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line[0] != "#"}
    rows, batches = (totals[f"modelwright_gateway_{name}_total"] for name in ("rows", "batches"))
    assert rows == len(load.answers)
    assert rows / batches > 3


def test_a_request_with_many_records_gets_as_many_predictions(serving: Gateway) -> None:
    answer = serving.predict(*[{**RECORD, "alcohol": 11 + number / 300} for number in range(900)]).json()
    assert len(answer["predictions"]) == len(answer["probabilities"]) == 900


def test_a_slow_model_is_504_and_serves_on(start_gateway: StartGateway, replicas: dict[str, Path]) -> None:
    gateway = start_gateway("--timeout", "1")
    gateway.publish({"acme/wine": endpoint(1, target("moody", 1, replicas["moody"]))})
    response = gateway.predict({**RECORD, "alcohol": -2})
    assert response.status_code == 504
    assert response.json()["remedy"]
    wait_for(lambda: gateway.predict(RECORD).status_code == 200)
    late, *others = sorted(gateway.recorded(), key=lambda record: str(record["id"]))
    assert (late["id"], late["status"]) == (response.headers["X-Modelwright-Prediction-Id"], 504)
    assert (late["outputs"], late["error"]["code"]) == ([], "timed_out")
    assert [record["inputs"] for record in others if record["status"] == 200] == [[RECORD]]


def test_requests_are_shared_by_weight_between_versions(gateway: Gateway, replicas: dict[str, Path]) -> None:
    targets = (target("wine", 1, replicas["one"], weight=75), target("wine", 2, replicas["two"], weight=25))
    gateway.publish({"acme/wine": endpoint(1, *targets)})
    with Load(gateway, clients=16) as load:
        wait_for(lambda: len(load.answers) > 800)
    versions = Counter(answer.body["version"] for answer in load.answers)
    assert 0.15 < versions[2] / len(load.answers) < 0.35
    for answer in load.answers:
        assert answer.body["predictions"][0].startswith("one" if answer.body["version"] == 1 else "two")


def test_switching_fifty_times_under_load_loses_nothing_and_never_answers_by_the_old_version(
    gateway: Gateway, replicas: dict[str, Path]
) -> None:
    def switch(version: int) -> tuple[float, int]:
        socket = replicas["one" if version == 1 else "two"]
        gateway.publish({"acme/wine": endpoint(gateway.revision + 1, target("wine", version, socket))})
        return time.monotonic(), version

    visible = [switch(1)]
    with Load(gateway, clients=12) as load:
        for number in range(50):
            target_count = len(load.answers) + 40
            wait_for(lambda count=target_count: len(load.answers) >= count)  # type: ignore[misc]
            asked = time.monotonic()
            moment, version = switch(2 - number % 2)
            visible += [(asked, 0), (moment, version)]
    assert (load.refused, load.broken) == ([], [])
    assert len(load.answers) > 2000
    recorded = {record["id"]: record for record in gateway.recorded()}
    checked = 0
    for answer in load.answers:
        assert recorded[answer.body["prediction_id"]]["outputs"] == answer.body["predictions"]
        assert answer.body["predictions"][0].startswith("one" if answer.body["version"] == 1 else "two")
        # Sent after a version was visible, answered before the next switch was asked for: only that one may answer.
        past = [entry for entry in visible if entry[0] <= answer.sent]
        coming = [entry for entry in visible if entry[0] > answer.sent]
        if past and past[-1][1] and (not coming or answer.received < coming[0][0]):
            assert answer.body["version"] == past[-1][1]
            checked += 1
    assert checked > 500


def test_an_old_replica_that_is_stopped_right_after_a_switch_loses_nothing(
    gateway: Gateway, start_server: StartServer, replicas: dict[str, Path]
) -> None:
    old = start_server("one", "old").ready()
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, old.socket))})
    with Load(gateway, clients=16) as load:
        wait_for(lambda: len(load.answers) > 200)
        gateway.publish({"acme/wine": endpoint(2, target("wine", 2, replicas["two"]))}, wait=False)
        assert old.stop() == 0
        wait_for(lambda: sum(answer.body.get("version") == 2 for answer in list(load.answers)) > 200)
    assert (load.refused, load.broken) == ([], [])


def test_a_killed_replica_is_replaced_by_its_neighbour_without_a_failed_request(
    gateway: Gateway, start_server: StartServer
) -> None:
    first, second = start_server("one", "first"), start_server("one", "second")
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, first.ready().socket, second.ready().socket))})
    with Load(gateway, clients=16) as load:
        wait_for(lambda: len(load.answers) > 200)
        first.stop(signal.SIGKILL)
        count = len(load.answers)
        wait_for(lambda: len(load.answers) > count + 200)
    assert (load.refused, load.broken) == ([], [])
    assert second.popen.poll() is None


def test_what_a_hung_replica_works_on_is_answered_by_its_neighbour_once(
    gateway: Gateway, start_server: StartServer
) -> None:
    first, second = start_server("one", "first"), start_server("one", "second")
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, first.ready().socket, second.ready().socket))})
    with Load(gateway, clients=8) as load:
        wait_for(lambda: len(load.answers) > 200)
        first.popen.send_signal(signal.SIGSTOP)
        # All that it holds are clients that wait; the neighbour alone answers the others meanwhile, and then these too.
        wait_for(lambda: "is silent" in gateway.text())
        count = len(load.answers)
        wait_for(lambda: len(load.answers) > count + 200)
        first.popen.send_signal(signal.SIGCONT)
        wait_for(lambda: len(load.answers) > count + 400)
    assert (load.refused, load.broken) == ([], [])
    slowest = max(answer.received - answer.sent for answer in load.answers)
    assert slowest > 4, "no request was with the replica that was stopped"
    ids = [record["id"] for record in gateway.recorded()]
    assert len(ids) == len(set(ids)) == len(load.answers)


def test_a_killed_replica_without_neighbour_is_503_until_another_takes_its_socket(
    gateway: Gateway, start_server: StartServer
) -> None:
    first = start_server("one", "same").ready()
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, first.socket))})
    assert gateway.predict(RECORD).status_code == 200
    first.stop(signal.SIGKILL)
    refused = gateway.predict(RECORD)
    assert refused.status_code == 503
    assert "Retry-After" in refused.headers
    start_server("one", "same").ready()
    wait_for(lambda: gateway.predict(RECORD).status_code == 200)
    assert len(gateway.recorded()) == 2


def test_a_broken_route_file_changes_nothing(serving: Gateway) -> None:
    serving.routes.write_text("{broken")
    wait_for(lambda: serving.ready()["routes_error"])
    assert serving.ready()["revision"] == 1
    assert serving.predict(RECORD).status_code == 200


def test_a_gateway_killed_under_load_has_recorded_every_acknowledged_prediction_once(
    start_gateway: StartGateway, replicas: dict[str, Path]
) -> None:
    acknowledged: list[str] = []
    for _ in range(3):
        gateway = start_gateway("--segment-bytes", "60000")
        gateway.revision = len(acknowledged)
        gateway.publish({"acme/wine": endpoint(1, target("wine", 1, replicas["one"]))})
        with Load(gateway, clients=24) as load:
            wait_for(lambda running=load: len(running.answers) > 500)  # type: ignore[misc]
            gateway.stop(signal.SIGKILL)
        assert load.refused == []
        acknowledged += [answer.body["prediction_id"] for answer in load.answers]
    recorded = Counter(record["id"] for record in gateway.recorded())
    assert set(acknowledged) <= set(recorded)
    assert set(recorded.values()) == {1}


def test_a_stopped_gateway_answers_what_it_has_begun(serving: Gateway) -> None:
    with Load(serving, clients=16) as load:
        wait_for(lambda: len(load.answers) > 200)
        assert serving.stop() == 0
    assert load.refused == []
    # A client may have sent into a connection that was just being closed, but not have lost an answer.
    recorded = {record["id"] for record in serving.recorded()}
    assert recorded == {answer.body["prediction_id"] for answer in load.answers}


def test_a_full_disk_is_503_and_nothing_is_answered_unrecorded(
    start_gateway: StartGateway, replicas: dict[str, Path]
) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    gateway = start_gateway(before=small_files)
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, replicas["one"]))})
    with Load(gateway, clients=8) as load:
        wait_for(lambda: len(load.refused) > 20)
        pid = gateway.popen.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        recovered = time.monotonic()
        wait_for(lambda: any(answer.status == 200 and answer.sent > recovered for answer in list(load.answers)))
    assert load.broken == []
    assert {answer.status for answer in load.refused} == {503}
    assert all("Free space" in answer.body["remedy"] for answer in load.refused)
    acknowledged = [answer.body["prediction_id"] for answer in load.answers if answer.status == 200]
    assert sorted(acknowledged) == sorted(record["id"] for record in gateway.recorded())


def test_a_spool_at_its_limit_is_503_and_goes_on_when_it_is_emptied(
    start_gateway: StartGateway, replicas: dict[str, Path]
) -> None:
    gateway = start_gateway("--spool-limit-bytes", "3000")
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, replicas["one"]))})
    wait_for(lambda: gateway.predict(RECORD).status_code == 503)
    refused = gateway.predict(RECORD)
    assert "shipper" in refused.json()["remedy"]
    assert "Retry-After" in refused.headers
    assert gateway.ready()["status"] == "refusing"
    for path in gateway.spool.iterdir():
        path.unlink()
    wait_for(lambda: gateway.predict(RECORD).status_code == 200)


def test_a_model_without_a_signature_is_served(gateway: Gateway, replicas: dict[str, Path]) -> None:
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, replicas["one"], signature=None))})
    backwards = dict(reversed(RECORD.items()))
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(gateway.predict, [RECORD, backwards] * 8))
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["predictions"][0] for response in responses}) == 1
    assert gateway.predict({"alcohol": 1}).status_code == 502


def test_every_request_is_answered_while_the_signature_changes(gateway: Gateway, replicas: dict[str, Path]) -> None:
    stop = threading.Event()
    seen: Counter[int] = Counter()

    def ask() -> None:
        while not stop.is_set():
            seen[gateway.predict(RECORD).status_code] += 1

    narrow = {"inputs": [spec for spec in SIGNATURE["inputs"] if spec["name"] != "region"], "outputs": []}
    gateway.publish({"acme/wine": endpoint(1, target("wine", 1, replicas["one"]))})
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for number in range(2, 12):
            signature = narrow if number % 2 else SIGNATURE
            gateway.publish({"acme/wine": endpoint(number, target("wine", 1, replicas["one"], signature=signature))})
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(60)
    assert set(seen) <= {200, 422}
    assert seen[200]
