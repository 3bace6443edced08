"""A test's own connection to a model server."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from modelwright_runtime.server import frames


class Client:
    """A connection that sends a frame and waits for its answer. `columns` are those of `predict` unless it is given."""

    def __init__(self, path: Path, columns: Any = ()) -> None:
        self.columns = columns
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self._reader = frames.FrameReader()
        self._received: list[frames.Frame] = []

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, kind: int, value: Any, correlation_id: int = 1) -> None:
        """Send a frame of JSON, or of bytes as they are."""
        payload = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.socket.sendall(frames.pack(correlation_id, kind, payload))

    def receive(self) -> frames.Frame | None:
        """The next frame, None when the server has closed."""
        while not self._received:
            data = self.socket.recv(65536)
            if not data:
                return None
            self._received = self._reader.feed(data)
        return self._received.pop(0)

    def ask(self, kind: int, value: Any) -> tuple[int, Any]:
        """The kind and the content of the answer to a frame."""
        self.send(kind, value)
        frame = self.receive()
        assert frame is not None
        return frame.kind, json.loads(frame.payload)

    def predict(self, *rows: Any, columns: Any = None) -> tuple[int, Any]:
        """Ask for predictions of rows."""
        return self.ask(frames.PREDICT, {"columns": list(columns or self.columns), "rows": rows})
