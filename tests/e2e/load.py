"""Constant load on one endpoint that counts every answer and every failure."""

from __future__ import annotations

import threading
from collections import Counter
from types import TracebackType
from typing import Any

import requests


class Load:
    """Clients that send one request after the other until the block ends.

    `acknowledged` maps the id of each answered prediction to the version that answered; `failures` counts what was
    refused, by status or exception. With `retry_refused`, a connection that the other side closed is opened again.
    """

    def __init__(self, url: str, key: str, record: dict[str, Any], *, clients: int = 4) -> None:
        self.url, self.key, self.record = url, key, record
        self.acknowledged: dict[str, int] = {}
        self.failures: Counter[str] = Counter()
        self.doubled: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def count(self) -> int:
        """Answers so far."""
        return len(self.acknowledged)

    def _client(self) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {self.key}"
            while not self._stop.is_set():
                self._ask(session)

    def _ask(self, session: requests.Session) -> None:
        try:
            answer = session.post(self.url, json={"records": [self.record]}, timeout=30)
        except requests.RequestException as error:
            with self._lock:
                self.failures[type(error).__name__] += 1
            self._stop.wait(0.05)
            return
        if answer.status_code != 200:
            with self._lock:
                self.failures[f"{answer.status_code} {answer.text[:600]}"] += 1
            self._stop.wait(0.05)
            return
        body = answer.json()
        with self._lock:
            if body["prediction_id"] in self.acknowledged:
                self.doubled.append(body["prediction_id"])
            self.acknowledged[body["prediction_id"]] = body["version"]
