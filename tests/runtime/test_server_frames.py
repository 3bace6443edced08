"""Frames, JSON and the prediction thread of the model server."""

from __future__ import annotations

import datetime
import json
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelwright_runtime.server import codec, frames
from modelwright_runtime.server.batching import Job, Predictions
from modelwright_runtime.server.results import Outcome, WrongLength, as_list

FRAMES = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 255), st.binary(max_size=50)), max_size=6)


@settings(deadline=None)
@given(FRAMES, st.data())
def test_frames_are_read_whole_however_the_stream_is_cut(sent: list[tuple[int, int, bytes]], data: Any) -> None:
    stream = b"".join(frames.pack(*frame) for frame in sent)
    reader = frames.FrameReader()
    received: list[frames.Frame] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        received += reader.feed(stream[:size])
        stream = stream[size:]
    assert received == [frames.Frame(*frame) for frame in sent]


@pytest.mark.parametrize("head", [b"\x00\x00\x00\x08", b"\xff\xff\xff\xff"])
def test_a_length_that_no_frame_has_is_an_error(head: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.FrameReader().feed(head + bytes(20))


def test_a_payload_larger_than_a_frame_is_refused() -> None:
    with pytest.raises(frames.FrameError, match="does not fit"):
        frames.pack(1, frames.PREDICT, bytes(frames.MAX_FRAME_BYTES))


@pytest.mark.parametrize("have_orjson", [True, False])
def test_json_is_the_same_with_and_without_orjson(have_orjson: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "HAVE_ORJSON", have_orjson)
    value = {"a": [1.5, None, True, "ü", float("nan"), float("inf")], "b": datetime.date(2026, 11, 26), "c": {1}}
    expected = {"a": [1.5, None, True, "ü", None, None], "b": "2026-11-26", "c": [1]}
    assert codec.decode(codec.encode(value)) == expected
    assert json.loads(codec.encode({"deep": [{"x": float("nan")}]})) == {"deep": [{"x": None}]}
    with pytest.raises(TypeError):
        codec.encode({"a": object()})
    with pytest.raises(ValueError, match=r".*"):
        codec.decode(b"{")


def test_a_list_that_is_too_short_is_a_wrong_length() -> None:
    with pytest.raises(WrongLength, match="2 predictions for 3 rows"):
        as_list([1, 2], 3)


class Doubling:
    """Doubles its only column; raises at a negative number; remembers how many rows each call had."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.gate = threading.Event()

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        self.gate.wait(30)
        self.calls.append(len(rows))
        if any(row[0] < 0 for row in rows):
            raise ValueError("negative")
        if any(row[0] == 13 for row in rows):
            sys.exit(3)
        return Outcome([row[0] * 2 for row in rows])


def run_all(
    model: Doubling, batches: list[list[int]], *, columns: Sequence[tuple[str, ...]] = (), **options: Any
) -> Any:
    """Submit every batch while the thread waits, then let it go; replies in the order of the batches."""
    predictions = Predictions(model, **options)
    replies: dict[int, tuple[int, Any]] = {}
    done = threading.Event()

    def reply_to(number: int) -> Any:
        def reply(kind: int, payload: bytes) -> None:
            assert number not in replies
            replies[number] = (kind, json.loads(payload))
            if len(replies) == len(batches):
                done.set()

        return reply

    names = columns or [("x",)] * len(batches)
    for number, (batch, name) in enumerate(zip(batches, names, strict=True)):
        predictions.submit(Job(name, [[value] for value in batch], reply_to(number)))
    predictions.start()
    model.gate.set()
    assert done.wait(30)
    return [replies[number] for number in range(len(batches))]


def test_everything_that_waits_is_predicted_at_once() -> None:
    model = Doubling()
    assert run_all(model, [[1, 2], [3], [4, 5]]) == [
        (frames.ANSWER, {"predictions": [2, 4]}),
        (frames.ANSWER, {"predictions": [6]}),
        (frames.ANSWER, {"predictions": [8, 10]}),
    ]
    assert model.calls == [5]


def test_a_batch_is_limited_in_rows_and_to_equal_columns() -> None:
    model = Doubling()
    run_all(model, [[1], [2], [3], [4]], columns=[("x",), ("x",), ("y",), ("x",)])
    assert model.calls == [2, 1, 1]
    model = Doubling()
    run_all(model, [[1], [2, 3], [4], [5]], max_rows=3)
    assert model.calls == [3, 2]


@pytest.mark.parametrize("poison", [-1, 13])
def test_one_frame_that_makes_the_model_raise_does_not_fail_its_neighbours(poison: int) -> None:
    first, second, third = run_all(Doubling(), [[1], [poison], [3]])
    assert (first, third) == ((frames.ANSWER, {"predictions": [2]}), (frames.ANSWER, {"predictions": [6]}))
    kind, error = second
    assert kind == frames.ERROR
    assert error["code"] == "model_error"
    assert error["message"] in ("ValueError: negative", "SystemExit: 3")


class Skipping(Doubling):
    """Leaves out rows with a negative number; gives probabilities, fewer than rows where one is 7."""

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        self.gate.wait(30)
        kept = [row[0] for row in rows if row[0] >= 0]
        return Outcome([number * 2 for number in kept], ["a"], [[float(number)] for number in kept if number != 7])


@pytest.mark.parametrize(("odd", "what"), [(-1, "0 predictions"), (7, "0 lists of probabilities")])
def test_a_frame_whose_rows_the_model_leaves_out_does_not_get_those_of_its_neighbours(odd: int, what: str) -> None:
    first, second, third = run_all(Skipping(), [[1], [odd], [3]])
    assert first == (frames.ANSWER, {"predictions": [2], "classes": ["a"], "probabilities": [[1.0]]})
    assert third == (frames.ANSWER, {"predictions": [6], "classes": ["a"], "probabilities": [[3.0]]})
    kind, error = second
    assert (kind, error["code"]) == (frames.ERROR, "wrong_length")
    assert f"{what} for 1 rows" in error["message"]


class Taking:
    """Takes `seconds` for a call; remembers the thread of each."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.rows = 0
        self.threads: list[str] = []
        self.together = 0
        self.most_together = 0

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        self.threads.append(threading.current_thread().name)
        self.rows += len(rows)
        time.sleep(self.seconds)
        self.together -= 1
        return Outcome([0] * len(rows))


def ask(predictions: Predictions, count: int) -> None:
    """So many frames, each when the one before it is answered."""
    for _ in range(count):
        answered = threading.Event()
        predictions.submit(Job(("x",), [[1]], lambda kind, payload, answered=answered: answered.set()))  # type: ignore[misc]
        assert answered.wait(30)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_quick_model_is_asked_where_frames_are_read_if_that_is_allowed(at_once: bool) -> None:
    model = Taking()
    predictions = Predictions(model, at_once=at_once)
    predictions.start()
    ask(predictions, 60)
    assert set(model.threads[-10:]) == {threading.current_thread().name if at_once else "predictions"}
    assert model.threads[0] == "predictions"
    model.seconds = 0.05
    ask(predictions, 3)
    assert model.threads[-1] == "predictions"
    assert predictions.idle()


def test_two_calls_are_never_under_way_together() -> None:
    model = Taking()
    predictions = Predictions(model, at_once=True)
    predictions.start()
    ask(predictions, 60)
    threads = [threading.Thread(target=ask, args=(predictions, 200)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert model.rows == 60 + 4 * 200
    assert model.most_together == 1
    assert predictions.idle()
