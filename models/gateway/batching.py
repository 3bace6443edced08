"""One queue per set of replicas: gathers concurrent requests into frames.

A request that finds nothing under way leaves at once. While every replica works, requests gather, and the next frame
takes all of them, up to a limit; `gathering` says when it pays to hold that frame for a moment.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import orjson
from modelwright_runtime.server import frames

from models.gateway.admission import Budget, Holding, ServiceTimes, count_of, remaining, too_busy
from models.gateway.gathering import Gathering
from models.gateway.pending import Failure, Pending, Prediction
from models.gateway.replicas import Replica
from models.gateway.responses import Response, problem
from models.gateway.words import HOLDERS, Mismatch, check_depth

logger = logging.getLogger(__name__)

MAX_ROWS = 256
MAX_BYTES = 8 * 1024 * 1024
GRACE_SECONDS = 1.0
# For so long small requests are taken without another look, once one was.
CALM_SECONDS = 0.01
SMALL_BYTES = 4096

Batch = list[Pending]


class Flight(NamedTuple):
    """A batch that is with a replica since `sent`."""

    replica: Replica
    batch: Batch
    rows: int
    size: int
    sent: float


class Outlet(NamedTuple):
    """Where a queue hands its results: predictions of a batch, requests that the model failed, or that no replica
    could take."""

    predicted: Callable[[Sequence[Prediction]], None]
    failed: Callable[[Failure], None]
    unreachable: Callable[[Pending], None]
    # A frame leaves: its requests, its rows, how many seconds ago its first request was received. What the frame shall
    # carry as `trace`, or None.
    sent: Callable[[Batch, int, float], str | None]
    # It came back with that `timing`.
    timed: Callable[[Batch, Any], None]


class BatchQueue:
    """Requests of one target. Not for use outside the event loop."""

    def __init__(self, replicas: Sequence[Replica], outlet: Outlet, budget: Budget) -> None:
        self._replicas = list(replicas)
        self._outlet = outlet
        self._longest_wait = budget.bounds.wait
        self._holding = Holding(budget)
        self._times = ServiceTimes()
        self._waiting: deque[Pending] = deque()
        self._flights: dict[int, Flight] = {}
        self._flight_number = 0
        self._next = 0
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._gathering = Gathering()
        self._rows_waiting = 0
        self._bytes_waiting = 0
        self._calm_until = 0.0
        self._rows_flying = 0
        self._down_since: float | None = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self.changed()

    @property
    def replicas(self) -> Sequence[Replica]:
        """The replicas this queue sends to."""
        return self._replicas

    @property
    def requests_waiting(self) -> int:
        """How many requests wait for a replica."""
        return len(self._waiting)

    @property
    def rows_in_flight(self) -> int:
        """How many rows replicas work on."""
        return self._rows_flying

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self._waiting and not self._flights

    def is_available(self) -> bool:
        """Whether a request may hope for an answer: a replica is connected or was a moment ago."""
        return self._down_since is None or time.monotonic() - self._down_since < GRACE_SECONDS

    def submit(self, pending: Pending) -> None:
        """Take a request; it will be finished through the outlet, sooner or later."""
        if self._down_since is not None and not self.is_available():
            for replica in self._replicas:
                replica.ask_for()
            self._outlet.unreachable(pending)
        else:
            self._waiting.append(pending)
            self._enters(pending)
            self._schedule()

    def refusal(self, name: str, body_bytes: int, now: float) -> Response | None:
        """Why a request to the endpoint of that name may not wait here; None when it may. Needs no look at its body."""
        if now < self._calm_until and body_bytes <= SMALL_BYTES:
            return None
        lacking = self._holding.lacks_room(body_bytes)
        if lacking:
            return too_busy(name, lacking, self.expected_wait())
        wait = self.expected_wait() if self._waiting else 0.0
        if wait <= self._longest_wait:
            self._calm_until = now + CALM_SECONDS
            return None
        return too_busy(name, count_of(len(self._waiting)), wait)

    def expected_wait(self) -> float:
        """Seconds until a request that comes now would be sent to a replica, as far as can be told."""
        connected = [replica for replica in self._replicas if replica.is_connected]
        full_frames = max(self._rows_waiting // MAX_ROWS, self._bytes_waiting // MAX_BYTES)
        wait = full_frames * self._times.expected(min(self._rows_waiting, MAX_ROWS)) / max(len(connected), 1)
        if self._flights and not any(replica.in_flight == 0 for replica in connected):
            now = time.monotonic()
            flights = self._flights.values()
            wait += min(remaining(self._times.expected(flight.rows), now - flight.sent) for flight in flights)
        return wait

    @property
    def rows_waiting(self) -> int:
        """Rows that are with no replica yet."""
        return self._rows_waiting

    def changed(self) -> None:
        """A replica's connection opened or closed."""
        if any(replica.is_connected for replica in self._replicas):
            self._down_since = None
            self._schedule()
        elif self._down_since is None:
            self._down_since = time.monotonic()

    def tick(self, now: float) -> None:
        """Answer what waited too long, and have others do what silent replicas do not; to be called a few times a
        second."""
        if any(replica.is_silent for replica in self._replicas) and self._is_heard():
            self._leave_the_silent()
        if self._waiting and not self.is_available():
            given_up = [self._drop() for _ in range(len(self._waiting))]
            for pending in given_up:
                self._outlet.unreachable(pending)
        while self._waiting and self._waiting[0].deadline <= now:
            self._outlet.failed(_timed_out(self._drop()))
        for flight in self._flights.values():
            if flight.batch[0].deadline <= now:
                for pending in flight.batch:
                    if pending.deadline <= now:
                        self._outlet.failed(_timed_out(pending))

    def _schedule(self) -> None:
        # On the next turn of the loop, so that requests read in this turn leave together.
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.pump)

    def pump(self) -> None:
        """Send what waits to replicas that are idle."""
        self._scheduled = False
        while self._waiting:
            replica = self._idle_replica()
            if replica is None:
                return
            now = time.monotonic()
            wait = self._gathering.wait_seconds(now, self._rows_waiting)
            if wait > 0:
                if self._timer is None:
                    self._timer = self._loop.call_later(wait, self._wake)
                return
            if self._gathering.grows(self._rows_waiting):
                self._schedule()
                return
            batch = self._take()
            if batch:
                self._send(replica, batch)

    def _wake(self) -> None:
        self._timer = None
        self.pump()

    def _drop(self) -> Pending:
        """The first that waits, which no replica will see."""
        pending = self._waiting.popleft()
        self._rows_waiting -= len(pending.rows)
        self._bytes_waiting -= pending.size
        self._holding.take(-1, -pending.size)
        return pending

    def _enters(self, pending: Pending) -> None:
        self._rows_waiting += len(pending.rows)
        self._bytes_waiting += pending.size
        self._holding.take(1, pending.size)

    def _idle_replica(self) -> Replica | None:
        count = len(self._replicas)
        for step in range(count):
            replica = self._replicas[(self._next + step) % count]
            if replica.is_connected and replica.in_flight == 0 and not (replica.is_silent and self._is_heard()):
                self._next = (self._next + step + 1) % count
                return replica
        return None

    def _is_heard(self) -> bool:
        """Whether there is a replica that answers pings."""
        return any(replica.is_connected and not replica.is_silent for replica in self._replicas)

    def _leave_the_silent(self) -> None:
        """What silent replicas work on goes to the others, once: whoever was there twice waits for an answer."""
        for number, flight in list(self._flights.items()):
            if flight.replica.is_silent and not any(pending.broken for pending in flight.batch):
                logger.warning("%s is silent: %s goes elsewhere", flight.replica.path, count_of(len(flight.batch)))
                del self._flights[number]
                self._holding.take(-len(flight.batch), -flight.size)
                self._rows_flying -= flight.rows
                self._retry(flight.batch)

    def _take(self) -> Batch:
        """The first that wait and fit into one frame. They stay in what the queue holds until the frame lands."""
        batch: Batch = []
        waiting = self._waiting
        rows = size = 0
        columns: tuple[str, ...] | None = None
        while waiting:
            pending = waiting[0]
            if pending.done:
                self._drop()
                continue
            more = len(pending.rows)
            if columns is None:
                columns = pending.columns
            elif (
                (pending.columns is not columns and pending.columns != columns)
                or rows + more > MAX_ROWS
                or size + pending.size > MAX_BYTES
            ):
                break
            batch.append(waiting.popleft())
            rows += more
            size += pending.size
        self._rows_waiting -= rows
        self._bytes_waiting -= size
        return batch

    def _send(self, replica: Replica, batch: Batch) -> None:
        rows = batch[0].rows if len(batch) == 1 else [row for pending in batch for row in pending.rows]
        size = sum([pending.size for pending in batch])
        self._flight_number += 1
        number = self._flight_number
        try:
            message: dict[str, Any] = {"columns": batch[0].columns, "rows": rows}
            trace = self._outlet.sent(batch, len(rows), time.monotonic() - batch[0].received)
            if trace is not None:
                message["trace"] = trace
            replica.send(frames.PREDICT, orjson.dumps(message), lambda frame: self._lands(number, replica, frame))
        except (frames.FrameError, ConnectionError, TypeError) as error:
            logger.warning("a batch could not be sent: %s", error)
            self._holding.take(-len(batch), -size)
            for pending in batch:
                self._outlet.failed(_model_error(pending, "unsendable", str(error)))
            return
        self._flights[number] = Flight(replica, batch, len(rows), size, time.monotonic())
        self._rows_flying += len(rows)

    def _lands(self, number: int, replica: Replica, frame: frames.Frame | None) -> None:
        flight = self._flights.pop(number, None)
        if flight is None:
            # It was silent, and what it now has answered, or has dropped, was done elsewhere.
            self._schedule()
            return
        self._holding.take(-len(flight.batch), -flight.size)
        now = time.monotonic()
        if frame is not None:
            self._times.observe(flight.rows, now - flight.sent)
        self._gathering.returned(
            now,
            service_seconds=now - flight.sent,
            rows_under_way=self._rows_flying + self._rows_waiting,
            replicas=sum([other.is_connected for other in self._replicas]),
        )
        self._rows_flying -= flight.rows
        self._answered(replica, flight.batch, frame)

    def _answered(self, replica: Replica, batch: Batch, frame: frames.Frame | None) -> None:
        if self._gathering.is_quick:
            self._schedule()
        else:
            # What must not be held any longer goes out before this batch is answered: the replica should not wait.
            self.pump()
        if frame is None:
            self._retry(batch)
        elif frame.kind == frames.ANSWER:
            self._predicted(replica, batch, frame.payload)
        else:
            self._failed(batch, frame)

    def _predicted(self, replica: Replica, batch: Batch, payload: bytes) -> None:
        try:
            answer = orjson.loads(payload)
            results = list(_split(batch, answer))
        except (ValueError, TypeError, KeyError) as error:
            logger.error("the replica %s answered what cannot be read: %s", replica.path, error)
            if len(batch) > 1:
                self._halve(batch)
            else:
                self._outlet.failed(_model_error(batch[0], "bad_answer", f"the answer cannot be read: {error}"))
            return
        if "timing" in answer:
            self._outlet.timed(batch, answer["timing"])
        self._outlet.predicted(results)

    def _failed(self, batch: Batch, frame: frames.Frame) -> None:
        if len(batch) > 1:
            self._halve(batch)
            return
        try:
            error = orjson.loads(frame.payload)
            code, message = str(error["code"]), str(error["message"])
        except (ValueError, TypeError, KeyError):
            code, message = "bad_answer", "the replica's error cannot be read"
        self._outlet.failed(_model_error(batch[0], code, message))

    def _halve(self, batch: Batch) -> None:
        """One request made the model fail: halve until it stands alone, so that its neighbours are answered."""
        middle = len(batch) // 2
        self._send_again(batch[:middle])
        self._send_again(batch[middle:])

    def _send_again(self, batch: Batch) -> None:
        live = [pending for pending in batch if not pending.done]
        connected = [replica for replica in self._replicas if replica.is_connected]
        if live and connected:
            self._holding.take(len(live), sum([pending.size for pending in live]))
            self._send(min(connected, key=lambda replica: replica.in_flight), live)
        elif live:
            self._retry(live)

    def _retry(self, batch: Batch) -> None:
        """The replica is gone, or silent. Predictions have no side effects, so each may be asked for twice."""
        for pending in reversed(batch):
            if pending.done:
                continue
            pending.broken += 1
            if pending.broken > 1:
                self._outlet.unreachable(pending)
            else:
                self._waiting.appendleft(pending)
                self._enters(pending)
        self._schedule()


def _split(batch: Batch, payload: dict[str, Any]) -> Sequence[Prediction]:
    """What the answer says about each request. Raises ValueError when it does not say it about each, or says what could
    not be written as JSON again."""
    predictions = payload["predictions"]
    probabilities = payload.get("probabilities")
    if type(predictions) is not list:
        raise ValueError("its predictions are no list")
    kinds = set() if probabilities is None else set(map(type, chain.from_iterable(probabilities)))
    if not HOLDERS.isdisjoint(kinds):
        raise ValueError("a probability is no number")
    all_are_known = bool(kinds) and type(None) not in kinds
    try:
        check_depth(predictions)
    except Mismatch as mismatch:
        raise ValueError(f"it holds {mismatch}") from None
    classes = [str(name) for name in payload["classes"]] if probabilities is not None else []
    total = sum(len(pending.rows) for pending in batch)
    if len(predictions) != total or (probabilities is not None and len(probabilities) != total):
        raise ValueError(f"{len(predictions)} predictions for {total} rows")
    results: list[Prediction] = []
    start = 0
    for pending in batch:
        end = start + len(pending.rows)
        by_class = None
        if probabilities is not None:
            chances = probabilities[start:end]
            # Whether records without any have neighbours with some must not be seen in their answer.
            if all_are_known or any(chance is not None for row in chances for chance in row):
                by_class = [dict(zip(classes, row, strict=True)) for row in chances]
        results.append(Prediction(pending, predictions[start:end], by_class))
        start = end
    return results


def _model_error(pending: Pending, code: str, message: str) -> Failure:
    response = problem(
        502,
        f"The model could not predict these records: {message}",
        title="Model error",
        remedy="Compare the records with the data the model was trained on; the replica's log has the whole traceback.",
        errors=[{"field": "records", "code": code, "message": message, "remedy": "Send records the model can take."}],
    )
    return Failure(pending, response, code, message)


def _timed_out(pending: Pending) -> Failure:
    return Failure(pending, _TIMED_OUT, "timed_out", "The model did not answer in time.")


_TIMED_OUT = problem(
    504,
    "The model did not answer in time.",
    remedy="Send fewer records at once, or try again; if it goes on, look at the replica's log and load.",
)
