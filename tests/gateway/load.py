"""Clients that never pause, and keep what they were answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any, NamedTuple

from tests.gateway.processes import KEY, RECORD, Gateway


class Answer(NamedTuple):
    """One answer; times are of `time.monotonic()`, taken before the request was sent and after the answer was read."""

    sent: float
    received: float
    status: int
    body: dict[str, Any]


class Load:
    """`with Load(gateway, clients=8) as load:` runs clients until the block ends. `answers` holds what was read whole,
    `broken` counts connections that ended without an answer."""

    def __init__(self, gateway: Gateway, *, clients: int, record: dict[str, Any] = RECORD) -> None:
        self._gateway = gateway
        self._body = json.dumps({"records": [record]})
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        self.answers: list[Answer] = []
        self.broken: list[str] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)
            assert not thread.is_alive()

    @property
    def refused(self) -> list[Answer]:
        """Answers that were no prediction."""
        return [answer for answer in self.answers if answer.status != 200]

    def _run(self) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self._gateway.port, timeout=60)
        while not self._stop.is_set():
            sent = time.monotonic()
            try:
                connection.request("POST", "/acme/wine/predict", self._body, headers)
                response = connection.getresponse()
                body = json.loads(response.read())
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(f"{type(error).__name__}: {error}")
                connection.close()
                time.sleep(0.02)
                continue
            self.answers.append(Answer(sent, time.monotonic(), response.status, body))
        connection.close()
