"""Who may wait, for how long, and that a model which hangs delays nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import statistics
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from models.gateway.admission import Bounds, Budget, Holding, ServiceTimes, remaining, retry_seconds, too_busy
from models.gateway.http import Connection, Limits, Request, Site, Slot
from models.gateway.responses import Response, problem
from tests.gateway.load import Load
from tests.gateway.processes import KEY, RECORD, Gateway, ModelServer, endpoint, target, wait_for


@given(st.integers(1, 6), st.integers(2, 500))
def test_whoever_is_greedy_leaves_room_for_one_more(greedy: int, requests_bound: int) -> None:
    budget = Budget(Bounds(requests=requests_bound))
    queues = [Holding(budget) for _ in range(greedy)]
    for _ in range(requests_bound):
        for queue in queues:
            if not queue.lacks_room(1):
                queue.take(1, 1)
    assert budget.requests == sum(queue.requests for queue in queues) <= requests_bound
    fair = requests_bound / (greedy + 1)
    assert all(queue.requests <= fair + greedy + 1 for queue in queues)
    if fair >= greedy + 1:
        assert not Holding(budget).lacks_room(1)


def test_a_queue_that_holds_many_bytes_is_full_for_large_bodies_first() -> None:
    budget = Budget(Bounds(body_bytes=1000))
    queue = Holding(budget)
    queue.take(1, 400)
    assert queue.lacks_room(500) == "1 request with 400 bytes"
    assert not queue.lacks_room(100)
    queue.take(-1, -400)
    assert (budget.requests, budget.body_bytes) == (0, 0)
    assert not queue.lacks_room(900)


def test_service_times_are_those_of_frames_of_like_size() -> None:
    times = ServiceTimes()
    assert times.expected(100) == 0
    times.observe(1, 0.010)
    assert times.expected(200) == 0.010  # nothing larger was seen: at least that long
    times.observe(200, 0.050)
    assert times.expected(190) == 0.050
    assert times.expected(3) == 0.010
    assert remaining(3.0, 1.0) == 2.0
    assert remaining(0.1, 4.0) == 4.0


def test_the_refusal_says_how_long_it_would_take_and_when_to_come_back() -> None:
    response = too_busy("acme/wine", "70 requests", 7.2)
    assert response.status == 429
    assert response.headers == ((b"Retry-After", b"4"),)
    assert b"about 7.2 s" in response.body
    assert (retry_seconds(0), retry_seconds(1e9)) == (1, 60)


class Fast:
    """Latencies of the endpoint that must not suffer."""

    def __init__(self, gateway: Gateway) -> None:
        with Load(gateway, clients=4) as load:
            wait_for(lambda: len(load.answers) > 300)
        assert (load.refused, load.broken) == ([], [])
        took = [answer.received - answer.sent for answer in load.answers]
        self.p99 = statistics.quantiles(took, n=100)[98]


@contextlib.contextmanager
def large_requests(gateway: Gateway, statuses: list[int]) -> Iterator[None]:
    """Clients that send half a megabyte to the model that hangs, again and again."""
    body = json.dumps({"records": [RECORD] * 5000}).encode()
    stop = threading.Event()

    def ask() -> None:
        timeouts = patience(0.5)
        while not stop.wait(0.02):
            with contextlib.suppress(requests.RequestException):
                statuses.append(ask_slow(gateway, body, next(timeouts)).status_code)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(ask)
        try:
            yield
        finally:
            stop.set()


def patience(first: float) -> Iterator[float]:
    """Seconds to wait for an answer, each time somewhat more: what hangs is given up soon, and on a busy machine what
    was refused at once is heard of in the end."""
    return (min(first * 1.2**number, 20.0) for number in itertools.count())


def ask_slow(gateway: Gateway, body: bytes, timeout: float) -> requests.Response:
    headers = {"Authorization": f"Bearer {KEY}"}
    return requests.post(f"{gateway.url}/acme/slow/predict", body, headers=headers, timeout=timeout)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_model_that_hangs_is_429_and_delays_no_other_endpoint(
    start_gateway: Callable[..., Gateway], start_server: Callable[..., ModelServer], replicas: dict[str, Path]
) -> None:
    slow = start_server("moody", "slow")
    gateway = start_gateway("--longest-wait", "5", "--waiting-bytes", "2200000")
    fast = endpoint(1, target("wine", 1, replicas["one"]))
    gateway.publish({"acme/wine": fast, "acme/slow": endpoint(1, target("moody", 1, slow.ready().socket))})
    slow.popen.send_signal(signal.SIGSTOP)
    small = json.dumps({"records": [RECORD]}).encode()
    refused: list[requests.Response] = []
    timeouts = patience(0.2)

    def is_refused() -> bool:
        with contextlib.suppress(requests.RequestException):
            refused.append(ask_slow(gateway, small, next(timeouts)))
        return bool(refused)

    wait_for(is_refused, seconds=200)
    assert refused[0].status_code == 429
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert refused[0].json()["remedy"]
    statuses: list[int] = []
    worse: list[float] = []
    # One delayed by the other would be so each time; what else the machine does comes and goes.
    while not worse or (min(worse) >= 6 and len(worse) < 5):
        alone = Fast(gateway)
        with large_requests(gateway, statuses):
            seen = len(statuses)
            wait_for(lambda seen=seen: 429 in statuses[seen:])  # type: ignore[misc]
            worse.append(Fast(gateway).p99 / alone.p99)
    assert set(statuses) == {429}
    assert min(worse) < 6
    slow.popen.send_signal(signal.SIGCONT)
    wait_for(lambda: ask_slow(gateway, small, timeout=30).status_code == 200)
    # Whatever became of a request, its room is free again.
    for wrong in (False, True, False, True, False):
        record = {**RECORD, "alcohol": -1} if wrong else RECORD
        answer = ask_slow(gateway, json.dumps({"records": [record] * 5000}).encode(), timeout=30)
        assert answer.status_code == (502 if wrong else 200)


class Echo:
    """Answers each request with the length of its body."""

    def refuse(self, method: bytes, path: bytes, authorization: bytes, size: int) -> Response | None:
        return None

    def refused(self, path: bytes, response: Response) -> Response:
        return response

    def handle(self, request: Request, slot: Slot) -> None:
        slot.answer(Response(200, b"%d" % len(request.body)))


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
SIZED = HEAD + b"Content-Length: 600000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n927c0\r\n"


@pytest.mark.parametrize("head", [SIZED, CHUNKED])
def test_large_bodies_are_refused_while_others_fill_the_room_for_them(head: bytes) -> None:
    async def scene() -> None:
        site = Site(Echo(), Limits(bodies=1_200_000))
        server = await asyncio.get_running_loop().create_server(lambda: Connection(site), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def send(part: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head + part)
            return reader, writer

        first_reader, first = await send(b"x" * 500_000)
        while site.reading.bytes < 500_000:
            await asyncio.sleep(0.01)
        refused, second = await send(b"x" * 600_000)
        assert (await refused.readline()).split()[1] == b"429"
        ending = b"\r\n0\r\n\r\n" if head is CHUNKED else b""
        first.write(b"x" * 100_000 + ending)
        assert (await first_reader.readline()).split()[1] == b"200"
        assert site.reading.bytes == 0
        assert site.reading.by_key == {}
        _, third = await send(b"x" * 300_000)
        while site.reading.bytes == 0:
            await asyncio.sleep(0.01)
        third.close()
        while site.reading.bytes:
            await asyncio.sleep(0.01)
        for writer in (first, second):
            writer.close()
        server.close()

    asyncio.run(asyncio.wait_for(scene(), 30))


class Wire(asyncio.Transport):
    """What a connection wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        pass


class Door(Echo):
    """Lets in who has a key."""

    def refuse(self, method: bytes, path: bytes, authorization: bytes, size: int) -> Response | None:
        return None if authorization.partition(b" ")[2].strip() in (b"a", b"b") or method == b"GET" else NO_KEY


NO_KEY = problem(401, "No key.", remedy="Send one.")


def opened(site: Site, key: str, *, method: str = "POST", chunk: int = 0, length: int = 400_000) -> Wire:
    """A connection whose large request is under way: its head has come, and of its body what is said."""
    wire, connection = Wire(), Connection(site)
    connection.connection_made(wire)
    kind = f"Content-Length: {length}\r\n\r\n" if not chunk else f"Transfer-Encoding: chunked\r\n\r\n{chunk:x}\r\n"
    head = f"{method} / HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n{kind}"
    connection.data_received(head.encode() + b"x" * chunk)
    return wire


@pytest.mark.parametrize("chunk", [0, 300_000])
@pytest.mark.parametrize(("key", "method"), [("Bearer no", "POST"), ("Bearer no", "GET")])
def test_who_has_no_key_takes_no_room_of_large_bodies(key: str, method: str, chunk: int) -> None:
    site = Site(Door(), Limits(bodies=1_000_000))
    for _ in range(5):
        opened(site, key, method=method, chunk=chunk)
    assert site.reading.bytes == 0
    assert b" 429 " not in opened(site, "Bearer a").written
    assert site.reading.bytes == 400_000


def test_the_large_bodies_of_one_key_leave_room_for_those_of_another() -> None:
    site = Site(Door(), Limits(bodies=1_000_000))
    for spaces in range(1, 6):
        opened(site, "Bearer" + " " * spaces + "a", length=300_000)
    assert site.reading.bytes == 600_000
    assert b" 429 " in opened(site, "bearer a", length=300_000).written
    assert b" 429 " not in opened(site, "Bearer b", length=300_000).written
    assert site.reading.bytes == 900_000
