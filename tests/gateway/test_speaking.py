"""Any body to any protocol, over HTTP, with real models: no 500, every prediction on record once, replicas live on."""

from __future__ import annotations

import random
import socket
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.fuzz.mutating import changed
from tests.gateway.fuzz.targets import SEEDS
from tests.gateway.processes import KEY, RECORD, Gateway
from tests.gateway.test_http import statuses, talk

pytestmark = pytest.mark.slow

# Path below an endpoint, seeds, and whether two bytes before the body are the length of its JSON.
WAYS: dict[str, tuple[str, str, bool]] = {
    "own": ("predict", "application/json", False),
    "mlflow": ("invocations", "application/json", False),
    "csv": ("invocations", "text/csv", False),
    "v2": ("v2/models/{}/infer", "application/json", False),
    "v2_bytes": ("v2/models/{}/infer", "application/octet-stream", True),
    "tensorflow": ("v1/models/{}:predict", "application/json", False),
}
ALLOWED = {200, 400, 413, 415, 422, 502}


def request(way: str, name: str, data: bytes) -> bytes:
    path, content_type, has_length = WAYS[way]
    model = {"wine": "cellar"}.get(name, name)
    lines = [
        f"POST /acme/{name}/{path.format(model)} HTTP/1.1",
        *("Host: x", f"Authorization: Bearer {KEY}", f"Content-Type: {content_type}"),
    ]
    if has_length:
        lines.append(f"Inference-Header-Content-Length: {int.from_bytes(data[:2], 'little')}")
        data = data[2:]
    return "\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data


def ids_of(answer: bytes) -> list[str]:
    marker = b"X-Modelwright-Prediction-Id: "
    return [part[:32].decode() for part in answer.split(marker)[1:]]


ASKED = st.tuples(st.sampled_from(sorted(WAYS)), st.sampled_from(["wine", "digits", "echo"]), st.integers(0, 2**32))


@settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(ASKED, min_size=1, max_size=40))
def test_any_body_is_answered_and_every_prediction_is_on_record_once(
    speaking: Gateway, asked: list[tuple[str, str, int]]
) -> None:
    sent = []
    for way, name, seed in asked:
        chance = random.Random(seed)
        sent.append(request(way, name, changed(chance.choice(SEEDS[way]), chance, has_length=WAYS[way][2])))
    before = len(speaking.recorded())
    answer = talk(speaking, b"".join(sent))
    found = statuses(answer)
    assert len(found) == len(sent)
    assert set(found) <= ALLOWED
    recorded = Counter(record["id"] for record in speaking.recorded()[before:])
    # What the model failed is on record too.
    assert recorded == Counter(ids_of(answer))
    assert len(recorded) == sum(status in (200, 502) for status in found)


def test_models_answer_after_that(speaking: Gateway) -> None:
    image: Any = [[0.0] * 8] * 8
    for name, record in (("wine", RECORD), ("digits", {"": image}), ("echo", {"a": 1})):
        assert speaking.predict(record, name=f"acme/{name}").status_code == 200
    with socket.create_connection(("127.0.0.1", speaking.port), timeout=30):
        assert speaking.popen.poll() is None
