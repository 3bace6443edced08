"""What becomes of requests when a replica answers wrongly or goes away: a gateway in this process, and replicas that
say what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from modelwright_runtime.server import frames

from models.gateway import answers, batching, replicas, spool
from models.gateway.addresses import Access
from models.gateway.application import Application
from models.gateway.http import Request, Slot
from models.gateway.pending import Prediction
from models.gateway.responses import Response
from models.gateway.routes import parse
from models.gateway.siblings import Siblings
from models.gateway.spool import list_segments, read_records
from models.gateway.spool_writer import SpoolWriter
from tests.gateway.processes import KEY, endpoint, target

Say = Callable[[list[float]], dict[str, Any]]


class Talking:
    """A replica at a socket. `say` makes an answer of the numbers asked for, once `let_go` is set."""

    def __init__(self, path: Path, say: Say) -> None:
        self.path = path
        self.asked: list[list[float]] = []
        self.let_go = asyncio.Event()
        self._say = say
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> Talking:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._talk, self.path)
        return self

    async def stop(self) -> None:
        """As a process that ends: its connections close and its socket is gone."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)
        for writer in self._writers:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        cutting = frames.FrameReader()
        with contextlib.suppress(asyncio.CancelledError):
            while data := await reader.read(65536):
                for frame in cutting.feed(data):
                    if frame.kind == frames.PREDICT:
                        await self._answer(frame, writer)

    async def _answer(self, frame: frames.Frame, writer: asyncio.StreamWriter) -> None:
        asked = [row[0] for row in orjson.loads(frame.payload)["rows"]]
        self.asked.append(asked)
        await self.let_go.wait()
        writer.write(frames.pack(frame.correlation_id, frames.ANSWER, orjson.dumps(self._say(asked))))


class Answer(Slot):
    """Keeps the answer instead of writing it to a connection."""

    def __init__(self) -> None:
        self.response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def answer(self, response: Response) -> None:
        self.response.set_result(response)


class Serving:
    """A gateway without its listening socket."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        writer = SpoolWriter(directory / "spool", "g")
        self.application = Application(
            writer, timeout=20, routes_error=lambda: None, access=Access(""), siblings=Siblings()
        )
        self._revision = 0

    def publish(self, *talking: Talking, deployment: int = 1) -> None:
        """Serve `acme/double` by these."""
        self._revision += 1
        entry = endpoint(deployment, target("double", 1, *[replica.path for replica in talking], signature=None))
        self.application.apply(parse(orjson.dumps({"revision": self._revision, "endpoints": {"acme/double": entry}})))

    def ask(self, *numbers: float) -> asyncio.Future[Response]:
        """The answer to come."""
        slot = Answer()
        body = orjson.dumps({"records": [{"x": number} for number in numbers]})
        key = f"Bearer {KEY}".encode()
        self.application.handle(Request(b"POST", b"/acme/double/predict", key, body, time.monotonic()), slot)
        return slot.response

    def recorded(self) -> list[Any]:
        """The outputs on record."""
        segments = list_segments(self.directory / "spool")
        return [record["outputs"] for segment in segments for record, _ in read_records(segment.path)]


@contextlib.asynccontextmanager
async def serving(directory: Path, *talking: Talking) -> AsyncIterator[Serving]:
    gateway = Serving(directory)
    for replica in talking:
        await replica.start()
    gateway.publish(*talking[:1])
    running = asyncio.create_task(gateway.application.fleet.run())
    try:
        await until(lambda: gateway.application.fleet.connected() == 1)
        async with asyncio.timeout(30):
            yield gateway
    finally:
        running.cancel()
        gateway.application.fleet.close()
        for replica in talking:
            await replica.stop()


async def until(condition: Callable[[], Any]) -> None:
    """Wait for it."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def predictions(response: Response) -> Any:
    """What a client reads."""
    assert response.status == 200, response.body
    return orjson.loads(response.body)["predictions"]


def doubling(asked: list[float]) -> dict[str, Any]:
    return {"predictions": [number * 2 for number in asked]}


def test_an_answer_that_is_too_short_fails_only_the_request_that_makes_it_so(directory: Path) -> None:
    def skipping(asked: list[float]) -> dict[str, Any]:
        return doubling([number for number in asked if number >= 0])

    async def go() -> None:
        replica = Talking(directory / "r", skipping)
        async with serving(directory, replica) as gateway:
            first = gateway.ask(1)
            await until(lambda: replica.asked or first.done())
            others = [gateway.ask(2), gateway.ask(-3), gateway.ask(4, 5), gateway.ask(6)]
            replica.let_go.set()
            assert predictions(await first) == [2]
            said = [await other for other in others]
        assert replica.asked[:2] == [[1], [2, -3, 4, 5, 6]]
        assert [predictions(said[place]) for place in (0, 2, 3)] == [[4], [8, 10], [12]]
        assert said[1].status == 502
        assert b"0 predictions for 1 rows" in said[1].body

    asyncio.run(go())


def test_an_answer_that_cannot_be_written_keeps_none_of_its_batch_waiting(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = answers.prediction

    def failing(result: Prediction, prediction_id: str) -> Response:
        if result.predictions == [6]:
            raise ValueError("no words for it")
        return write(result, prediction_id)

    monkeypatch.setattr(answers, "prediction", failing)

    async def go() -> None:
        replica = Talking(directory / "r", doubling)
        async with serving(directory, replica) as gateway:
            first = gateway.ask(1)
            await until(lambda: replica.asked or first.done())
            batch = [gateway.ask(number) for number in (2, 3, 4)]
            replica.let_go.set()
            one, unspoken, other = [await each for each in batch]
            assert replica.asked == [[1], [2, 3, 4]]
            assert [predictions(one), predictions(other)] == [[4], [8]]
            assert unspoken.status == 500
            told = orjson.loads(unspoken.body)
            assert told["title"] == "Answer cannot be written"
            assert dict(unspoken.headers)[answers.PREDICTION_ID].decode() in told["detail"]
            assert gateway.recorded() == [[2], [4], [6], [8]]

    asyncio.run(go())


def test_what_waits_for_replicas_that_are_replaced_goes_to_those_of_the_same_deployment_now(directory: Path) -> None:
    async def go() -> None:
        old, new = Talking(directory / "old", doubling), Talking(directory / "new", doubling)
        new.let_go.set()
        async with serving(directory, old, new) as gateway:
            flying = gateway.ask(1)
            await until(lambda: old.asked or flying.done())
            waiting = gateway.ask(2)
            gateway.publish(new)
            await old.stop()
            assert predictions(await flying) == [2]
            assert predictions(await waiting) == [4]
            assert gateway.recorded() == [[2], [4]]
            # Where nothing was replaced, nobody else is tried.
            await new.stop()
            assert (await gateway.ask(3)).status == 503

    asyncio.run(go())


def test_a_replica_that_comes_back_is_found_at_once_by_who_asks_for_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By itself the gateway would look for it in half a minute or later.
    monkeypatch.setattr(replicas, "FIRST_DELAY", 60.0)
    monkeypatch.setattr(batching, "GRACE_SECONDS", 0.0)

    async def go() -> None:
        replica = Talking(directory / "r", doubling)
        replica.let_go.set()
        async with serving(directory, replica) as gateway:
            await replica.stop()
            await until(lambda: gateway.application.fleet.connected() == 0)
            assert (await gateway.ask(1)).status == 503
            await replica.start()
            statuses: list[int] = []
            while statuses[-1:] != [200]:
                statuses.append((await gateway.ask(2)).status)
                await asyncio.sleep(0.01)
            assert set(statuses[:-1]) <= {503}
            assert gateway.recorded() == [[4]]

    asyncio.run(go())


def test_an_endpoint_that_is_retired_answers_what_it_had_taken_and_no_more(directory: Path) -> None:
    async def go() -> None:
        replica = Talking(directory / "r", doubling)
        async with serving(directory, replica) as gateway:
            flying = gateway.ask(1)
            await until(lambda: replica.asked or flying.done())
            waiting = [gateway.ask(number) for number in (2, 3, 4)]
            gateway.application.apply(parse(orjson.dumps({"revision": 2, "endpoints": {}})))
            late = await gateway.ask(5)
            replica.let_go.set()
            assert [predictions(await each) for each in (flying, *waiting)] == [[2], [4], [6], [8]]
            assert late.status == 404
            assert gateway.recorded() == [[2], [4], [6], [8]]
            # And the replica is let go of.
            await until(lambda: gateway.application.fleet.connected() == 0)

    asyncio.run(go())


def test_a_table_that_comes_back_finds_its_requests_and_its_replica_at_work(directory: Path) -> None:
    async def go() -> None:
        first, second = Talking(directory / "first", doubling), Talking(directory / "second", doubling)
        async with serving(directory, first, second) as gateway:
            flying = gateway.ask(1)
            await until(lambda: first.asked or flying.done())
            waiting = gateway.ask(2)
            gateway.publish(second, deployment=2)
            gateway.publish(first, deployment=3)
            later = gateway.ask(3)
            first.let_go.set()
            async with asyncio.timeout(60):
                assert [predictions(await one) for one in (flying, waiting, later)] == [[2], [4], [6]]
        # One queue, so one frame for both that waited.
        assert first.asked == [[1], [2, 3]]
        assert second.asked == []

    asyncio.run(go())


def test_a_replica_in_two_tables_serves_what_waited_under_the_earlier_first_and_then_the_other(directory: Path) -> None:
    async def go() -> None:
        shared, other = Talking(directory / "shared", doubling), Talking(directory / "other", doubling)
        async with serving(directory, shared, other) as gateway:
            flying = gateway.ask(1)
            await until(lambda: shared.asked or flying.done())
            waiting = gateway.ask(2)
            gateway.publish(shared, other)
            await until(lambda: gateway.application.fleet.connected() == 2)
            elsewhere = gateway.ask(3)
            await until(lambda: other.asked or elsewhere.done())
            later = gateway.ask(4)
            shared.let_go.set()
            async with asyncio.timeout(60):
                assert [predictions(await one) for one in (flying, waiting, later)] == [[2], [4], [8]]
            other.let_go.set()
            assert predictions(await elsewhere) == [6]
        assert shared.asked == [[1], [2], [4]]

    asyncio.run(go())


def test_a_request_without_probabilities_is_answered_as_if_it_stood_alone(directory: Path) -> None:
    def says(asked: list[float]) -> dict[str, Any]:
        chances = [[None, None] if number < 0 else [0.25, 0.75] for number in asked]
        return {**doubling(asked), "classes": ["a", "b"], "probabilities": chances}

    async def go() -> None:
        replica = Talking(directory / "r", says)
        async with serving(directory, replica) as gateway:
            first = gateway.ask(1)
            await until(lambda: replica.asked or first.done())
            others = [gateway.ask(-2), gateway.ask(-3, 4)]
            replica.let_go.set()
            answers = [orjson.loads((await other).body) for other in others]
        assert replica.asked == [[1], [-2, -3, 4]]
        assert "probabilities" not in answers[0]
        assert answers[1]["probabilities"] == [{"a": None, "b": None}, {"a": 0.25, "b": 0.75}]

    asyncio.run(go())


def test_a_record_that_no_reader_would_take_is_not_made_and_fails_its_request_alone(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MAX_RECORD_BYTES", 2000)

    def says(asked: list[float]) -> dict[str, Any]:
        return {"predictions": ["a" * 2000 if number == 3 else number for number in asked]}

    async def go() -> None:
        replica = Talking(directory / "r", says)
        async with serving(directory, replica) as gateway:
            first = gateway.ask(1)
            await until(lambda: replica.asked or first.done())
            others = [gateway.ask(2), gateway.ask(3), gateway.ask(4)]
            replica.let_go.set()
            answers = [await other for other in (first, *others)]
            assert (await gateway.ask(3)).status == 413
            assert predictions(await gateway.ask(5)) == [5]
        assert [answer.status for answer in answers] == [200, 200, 413, 200]
        assert orjson.loads(answers[2].body)["remedy"] == "Send fewer records at once."
        assert gateway.recorded() == [[1], [2], [4], [5]]

    asyncio.run(go())
