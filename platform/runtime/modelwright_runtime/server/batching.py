"""One thread that predicts, for everything that waits at once.

A model that answers within a fraction of a millisecond may be asked where its frame was read instead: handing it to the
thread and its answer back costs more than such a call.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from . import codec, frames
from .company import Company
from .results import Outcome, WrongLength
from .vitals import Vitals

logger = logging.getLogger(__name__)

MAX_ERROR_CHARACTERS = 1000
# So long whoever reads frames may be kept from reading on. Others wait for him no longer than for a busy processor.
QUICK_SECONDS = 0.001
# As long as nothing is known, a model is not quick.
_UNKNOWN_SECONDS = 1.0

Reply = Callable[[int, bytes], None]


class Model(Protocol):
    """What the thread predicts with."""

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome: ...


class Job(NamedTuple):
    """One predict frame; `reply(kind, payload)` is called exactly once, from the prediction thread or by `submit`.

    `traced` is when it came, by the monotonic clock in nanoseconds, where the answer shall say how long things took.
    Frames of one `origin` came by one connection.
    """

    columns: tuple[str, ...]
    rows: list[list[Any]]
    reply: Reply
    traced: int | None = None
    origin: int = 0


class Predictions:
    """Queue and thread. A batch that makes the model raise is repeated one frame at a time, so that only the frame
    at fault fails; the thread outlives every exception.

    `at_once` says that a call takes about as long as those before it, so that `submit` may answer a frame itself while
    they were quick. Two calls are never under way together.
    """

    def __init__(self, model: Model, *, max_rows: int = 1024, at_once: bool = False) -> None:
        self._model = model
        self._max_rows = max_rows
        self._at_once = at_once
        self._call_seconds = _UNKNOWN_SECONDS
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._started_at: float | None = None
        self._company = Company()
        self._thread = threading.Thread(target=self._run, name="predictions", daemon=True)
        self.vitals = Vitals()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a frame and return at once, or answer it where that takes no longer than to queue it."""
        if self._at_once and self._call_seconds < QUICK_SECONDS and self._answered_here(job):
            return
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def busy_seconds(self) -> float:
        """How long the batch in hand has taken so far, 0 when there is none."""
        started = self._started_at
        return 0.0 if started is None else time.monotonic() - started

    def idle(self) -> bool:
        """Whether nothing waits and nothing is in hand."""
        with self._changed:
            return not self._waiting and self._started_at is None

    def _answered_here(self, job: Job) -> bool:
        """Answer the frame unless something is in hand or waits."""
        with self._changed:
            if self._waiting or self._started_at is not None:
                return False
            self._started_at = time.monotonic()
        try:
            self._answer([job])
        finally:
            with self._changed:
                self._started_at = None
                if self._waiting:
                    self._changed.notify()
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._wait()
                batch = self._take()
                began = self._started_at = time.monotonic()
            self._answer(batch)
            with self._changed:
                self._started_at = None
            self._note(batch, began)

    def _wait(self) -> None:
        """Until there is something to predict, nothing else is in hand, and there is company where that pays."""
        while True:
            while not self._waiting or self._started_at is not None:
                self._changed.wait()
            left = self._company.wait_seconds(time.monotonic(), self._origins())
            if left <= 0:
                return
            self._changed.wait(left)

    def _note(self, batch: list[Job], began: float) -> None:
        now = time.monotonic()
        with self._changed:
            waiting = self._origins()
        origins = {job.origin for job in batch}
        self._company.answered(now, service_seconds=now - began, origins=origins, waiting=waiting)

    def _origins(self) -> set[int]:
        return {job.origin for job in self._waiting}

    def _take(self) -> list[Job]:
        first = self._waiting.popleft()
        batch, rows = [first], len(first.rows)
        while self._waiting:
            following = self._waiting[0]
            if following.columns != first.columns or rows + len(following.rows) > self._max_rows:
                break
            batch.append(self._waiting.popleft())
            rows += len(following.rows)
        return batch

    def _answer(self, batch: list[Job]) -> None:
        rows = batch[0].rows if len(batch) == 1 else [row for job in batch for row in job.rows]
        replies: list[tuple[Job, int, bytes]] = []
        began = time.monotonic_ns()
        try:
            outcome = self._model.predict(batch[0].columns, rows)
            outcome.check(len(rows))
            took = time.monotonic_ns() - began
            start = 0
            for job in batch:
                end = start + len(job.rows)
                answer = outcome.part(start, end)
                if job.traced is not None:
                    answer["timing"] = {"queued_ns": began - job.traced, "predict_ns": took, "rows": len(rows)}
                replies.append((job, frames.ANSWER, codec.encode(answer)))
                start = end
        except BaseException as error:  # a model may even call sys.exit(); the replica must live
            if len(batch) > 1:
                for job in batch:
                    self._answer([job])
                return
            logger.warning("prediction failed", exc_info=True)
            replies = [(batch[0], frames.ERROR, error_payload(_code_of(error), f"{type(error).__name__}: {error}"))]
            self.vitals.failed()
        else:
            self._call_seconds += (took / 1e9 - self._call_seconds) * 0.2
            self.vitals.predicted(len(rows), took / 1e9)
        for job, kind, payload in replies:
            job.reply(kind, payload)


def error_payload(code: str, message: str) -> bytes:
    """Payload of an error frame."""
    return codec.encode({"code": code, "message": message[:MAX_ERROR_CHARACTERS]})


def _code_of(error: BaseException) -> str:
    return "wrong_length" if isinstance(error, WrongLength) else "model_error"
