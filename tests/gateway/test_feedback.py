"""Truth by an endpoint's key: what is taken goes to the spool by one write, what is wrong is named, nothing fails."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gateway.feedback import BadFeedback, items_of
from models.gateway.feedback_items import KEYS, MAX_ITEMS
from tests.gateway.processes import KEY, Gateway, endpoint, target

ID = "01a21b589a297045941eec6505ef74d3"
NOW = 1_795_000_000.0


def test_truth_is_in_the_spool_before_it_is_answered(gateway: Gateway) -> None:
    gateway.publish({"acme/wine": endpoint(3, target("wine", 1))})

    def post(body: Any, key: str = KEY, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return requests.post(f"{gateway.url}/acme/wine/feedback", json=body, headers=headers, timeout=60, **kwargs)

    before = time.time()
    one = {"prediction_id": ID, "truth": "one:1", "record": 2, "happened_at": "2026-11-01T00:00:00Z"}
    answer = post(one)
    assert answer.status_code == 202, answer.text
    (id_,) = answer.json()["feedback_ids"]
    (record,) = gateway.recorded()
    assert (record["kind"], record["id"], record["key_id"]) == ("feedback", id_, f"id of {KEY}")
    assert (record["prediction_id"], record["record"], record["truth"]) == (ID, 2, "one:1")
    assert record["endpoint_id"] == "00000000-0000-7000-8000-00000000000e"
    assert record["happened_at"] == 1793491200.0
    assert before <= record["known_at"] <= time.time()
    many = [{"response": {"a": 1}, "truth": False}, {"prediction_id": ID, "truth": 0}]
    assert post(many).json()["accepted"] == 2
    assert post({"feedback": many}).json()["accepted"] == 2
    assert len(gateway.recorded()) == 5
    refused = post([*many, {"prediction_id": ID}, 7])
    assert refused.status_code == 422
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert [each["field"] for each in refused.json()["errors"]] == ["feedback[2].truth", "feedback[3]"]
    assert post(one, key="mwk_other").status_code == 401
    assert requests.get(f"{gateway.url}/acme/wine/feedback", timeout=60).status_code == 405
    assert requests.post(f"{gateway.url}/acme/none/feedback", json=one, timeout=60).status_code == 404
    assert len(gateway.recorded()) == 5
    assert '202"' in requests.get(f"{gateway.url}/metrics", timeout=60).text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"{", 400, "no JSON"),
        (b"7", 422, "body"),
        (b"[]", 422, "There are 0 pieces"),
        (json.dumps([1] * (MAX_ITEMS + 1)).encode(), 422, f"There are {MAX_ITEMS + 1} pieces"),
        (json.dumps({"prediction_id": ID, "truth": None}).encode(), 422, "truth"),
        (json.dumps({"truth": 1}).encode(), 422, "neither prediction_id nor response"),
        # In UTC, these would be in the years 0 and 10000.
        (b'{"response":1,"truth":1,"happened_at":"0001-01-01T00:00:00+14:00"}', 422, "Expected a time"),
        (b'{"response":1,"truth":1,"known_at":"9999-12-31T23:59:59-01:00"}', 422, "Expected a time"),
        (b'{"response":1,"truth":' + b"[" * 200 + b"]" * 200 + b"}", 422, "nested deeper"),
    ],
)
def test_what_is_no_feedback_is_refused_with_words(body: bytes, status: int, words: str) -> None:
    with pytest.raises(BadFeedback) as caught:
        items_of(body, NOW)
    assert caught.value.response.status == status
    assert words in caught.value.response.body.decode()


_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(ID), st.lists)
_ITEMS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), _VALUES, max_size=6)


@settings(max_examples=60)
@given(st.binary(max_size=80) | (_ITEMS | _VALUES | st.lists(_ITEMS)).map(lambda value: json.dumps(value).encode()))
def test_no_body_makes_it_fail(body: bytes) -> None:
    try:
        items, status = items_of(body, NOW), 202
    except BadFeedback as bad:
        items, status = [], bad.response.status
    assert status in (202, 400, 422)
    for item in items:
        assert item.truth is not None
        assert (item.prediction_id is None) != (item.response is None)
        assert item.known_at <= NOW + 300
