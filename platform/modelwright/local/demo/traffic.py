"""Requests that go on while the version behind an endpoint changes."""

import http.client
import json
from collections import Counter
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

PAUSE_SECONDS = 0.02


class Traffic(Thread):
    """Sends one record after the other to an endpoint until `stop()`; counts answers by version, keeps failures."""

    def __init__(self, url: str, key: str, records: Sequence[dict[str, Any]]) -> None:
        super().__init__(name="traffic", daemon=True)
        self.url, self.key, self.records = urlsplit(url), key, records
        self.versions: Counter[int] = Counter()
        self.failures: list[str] = []
        self.ended = Event()

    def run(self) -> None:
        number = 0
        connection = self._connect()
        while not self.ended.wait(PAUSE_SECONDS):
            record = self.records[number % len(self.records)]
            number += 1
            try:
                self.versions[self._ask(connection, record)] += 1
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
                connection = self._connect()
        connection.close()

    def stop(self) -> None:
        """Stop sending and wait for the last answer."""
        self.ended.set()
        self.join(60)

    @property
    def sent(self) -> int:
        """How many requests were answered or failed."""
        return sum(self.versions.values()) + len(self.failures)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=30)

    def _ask(self, connection: http.client.HTTPConnection, record: dict[str, Any]) -> int:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection.request("POST", self.url.path, json.dumps({"records": [record]}), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise ValueError(f"{answer.status} {content[:300].decode(errors='replace')}")
        return int(json.loads(content)["version"])
