"""Asks a version's replicas directly, past the gateway, as smoke tests do: nothing is recorded, no client is served."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from modelwright_runtime.handshake import HandshakeError
from modelwright_runtime.server import frames

from models.endpoints.addresses import access
from models.endpoints.models import Endpoint, Replica
from models.gateway.addresses import connect
from models.gateway.signature import Invalid, compile_signature
from models.registry.mlmodel import served_signature
from models.registry.models import ModelVersion

# Of one question, from the connection to the whole answer.
TIMEOUT_SECONDS = 10.0


class Reply(NamedTuple):
    """What a replica said: `payload` is its answer, as models.gateway.batching gets it, None where `error` says why."""

    payload: dict[str, Any] | None
    error: str
    milliseconds: float


def healthy_replicas(endpoint: Endpoint, version: ModelVersion) -> list[Replica]:
    """The replicas of the version that are known to answer and are to stay, the oldest first."""
    found = Replica.objects.filter(
        endpoint=endpoint,
        model_version=version,
        purpose=Replica.Purpose.SERVE,
        workload__finished_at=None,
        workload__cancel_requested_at=None,
    )
    answering = found.filter(healthy_at__isnull=False, silent_since=None)
    return list(answering.select_related("workload__host").order_by("pk"))


def question_of(version: ModelVersion, records: Sequence[Mapping[str, Any]]) -> bytes:
    """What a replica of the version is sent for the records. Raises ValueError where they do not fit its signature."""
    try:
        frame = compile_signature(served_signature(version.signature)).check([dict(record) for record in records])
    except (Invalid, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    return json.dumps({"columns": list(frame.columns), "rows": [list(row) for row in frame.rows]}).encode()


def ask(replica: Replica, question: bytes, *, timeout: float = TIMEOUT_SECONDS) -> Reply:
    """The replica's answer to a question. What goes wrong is in the reply."""
    began = time.monotonic()
    try:
        with closing(connect(replica.socket, access(), timeout=timeout)) as connection:
            connection.sendall(frames.pack(1, frames.PREDICT, question))
            frame = _answer(connection, began + timeout)
    except (OSError, ValueError, HandshakeError, frames.FrameError) as error:
        return Reply(None, f"It did not answer: {error or type(error).__name__}", _since(began))
    try:
        payload = json.loads(frame.payload)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        return Reply(None, "It answered what is no JSON object.", _since(began))
    if frame.kind != frames.ANSWER:
        return Reply(None, f"{payload.get('code', 'error')}: {str(payload.get('message', ''))[:500]}", _since(began))
    return Reply(payload, "", _since(began))


def _answer(connection: socket.socket, deadline: float) -> frames.Frame:
    reader = frames.FrameReader()
    while data := connection.recv(65536):
        for frame in reader.feed(data):
            if frame.kind in (frames.ANSWER, frames.ERROR):
                return frame
        if time.monotonic() > deadline:
            raise TimeoutError("its answer does not end")
    raise ConnectionError("the connection was closed")


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)
