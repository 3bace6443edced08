"""An answer of a model that nobody could write as JSON again is a failure of the model."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from modelwright_runtime.server import frames

from models.gateway.addresses import Access
from models.gateway.admission import Budget
from models.gateway.batching import BatchQueue, Outlet
from models.gateway.pending import Failure, Prediction
from models.gateway.replicas import Replica
from models.gateway.words import MAX_DEPTH, Mismatch, check_depth
from tests.gateway import asking
from tests.gateway.processes import RECORD


def nested(depth: int) -> str:
    return "[" * depth + "1" + "]" * depth


async def asked(path: Path, payload: bytes) -> list[Prediction | Failure]:
    """What a queue makes of one request whose replica answers that."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cutting = frames.FrameReader()
        while data := await reader.read(65536):
            for frame in cutting.feed(data):
                writer.write(frames.pack(frame.correlation_id, frames.ANSWER, payload))
        writer.close()
        left.set()

    left = asyncio.Event()
    said: list[Prediction | Failure] = []
    outlet = Outlet(said.extend, said.append, lambda _: None, lambda *_: None, lambda *_: None)
    server = await asyncio.start_unix_server(talk, path)
    replica = Replica(str(path), lambda _: queue.changed(), Access())
    queue = BatchQueue([replica], outlet, Budget())
    replica.start()
    try:
        answered = asking.ask("own", {"records": [RECORD]})
        answered.pending.columns, answered.pending.rows = answered.frame
        queue.submit(answered.pending)
        async with asyncio.timeout(30):
            while not said:
                await asyncio.sleep(0.005)
    finally:
        replica.close()
        server.close()
        await asyncio.wait_for(left.wait(), 30)
    return said


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (f'{{"predictions": [{nested(10)}]}}', None),
        (f'{{"predictions": [{nested(300)}]}}', "nested deeper than 64 levels"),
        (f'{{"predictions": [{{"a": {nested(300)}}}]}}', "nested deeper than 64 levels"),
        (
            f'{{"predictions": [1], "classes": ["a"], "probabilities": [[{nested(300)}]]}}',
            "a probability is no number",
        ),
        ('{"predictions": "1"}', "predictions are no list"),
    ],
)
def test_an_answer_nested_beyond_reason_is_a_failure_of_the_model(
    tmp_path: Path, payload: str, told: str | None
) -> None:
    (said,) = asyncio.run(asked(tmp_path / "s", payload.encode()))
    if told is None:
        assert isinstance(said, Prediction)
        return
    assert isinstance(said, Failure)
    assert (said.code, said.response.status) == ("bad_answer", 502)
    assert told in said.message
    orjson.loads(said.response.body)


def deep(depth: int, kinds: str) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value, 0.5] if kinds[level % len(kinds)] == "l" else {"a": value, "b": None}
    return value


@pytest.mark.parametrize("kinds", ["l", "d", "ld"])
def test_the_depth_is_that_of_lists_and_objects(kinds: str) -> None:
    for depth in (0, 1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 300):
        with pytest.raises(Mismatch) if depth > MAX_DEPTH else contextlib.nullcontext():
            check_depth(deep(depth, kinds))
