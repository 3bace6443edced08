"""One POST to a sink: to the address that was judged, without redirects, and over by its deadline."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from models.events.guarding import Destination, destination_of
from modelwright.core.outside import Refused

SECONDS = 10.0
CONNECT_SECONDS = 5.0
MOST_ANSWER_BYTES = 2000
LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: `status` is 0 where the sink did not answer. `detail` is for people.

    `wait_seconds` is how long the sink asked to be left alone, `seconds` how long whoever delivers waited for it.
    """

    status: int
    detail: str
    wait_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def is_taken(self) -> bool:
        """Whether the sink has taken what was posted."""
        return 200 <= self.status < 300


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = SECONDS) -> Answer:
    """Post it. It never raises: whatever goes wrong is an answer with status 0."""
    deadline = _Deadline(seconds)
    try:
        destination = destination_of(url, seconds=deadline.left())
        connection = http.client.HTTPConnection(destination.host, destination.port)
        # It is there already; that class opens none where it has a socket.
        connection.sock = _connected(destination, deadline)
        try:
            connection.request("POST", destination.path, body, {"Host": destination.authority, **headers})
            return _answer(connection.getresponse())
        finally:
            connection.close()
    except Refused as refused:
        return Answer(0, str(refused))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(0, f"It did not answer within {seconds:g} seconds." if deadline.is_over else _words(error))
    finally:
        deadline.cancel()


class _Deadline:
    """Ends the socket that it watches: a timeout bounds each piece of an answer, of which there may be any number."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._ends_at = time.monotonic() + seconds
        self._watched: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def left(self) -> float:
        """Seconds, never none: a socket with a timeout of 0 does not wait at all."""
        return max(self._ends_at - time.monotonic(), 0.001)

    def watch(self, one: socket.socket) -> None:
        one.settimeout(self.left())
        self._watched = one

    def cancel(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        if self._watched is not None:
            with contextlib.suppress(OSError):
                self._watched.shutdown(socket.SHUT_RDWR)


def _connected(destination: Destination, deadline: _Deadline) -> socket.socket:
    """A connection to the first of the addresses that takes one."""
    trouble: OSError = OSError("its name has no address")
    for address in destination.addresses:
        try:
            raw = socket.create_connection((address, destination.port), min(CONNECT_SECONDS, deadline.left()))
        except OSError as error:
            trouble = error
            continue
        deadline.watch(raw)
        return _encrypted(raw, destination.host, deadline) if destination.is_tls else raw
    raise trouble


def _encrypted(raw: socket.socket, host: str, deadline: _Deadline) -> socket.socket:
    wrapped = ssl.create_default_context().wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    try:
        deadline.watch(wrapped)
        wrapped.do_handshake()
    except (OSError, ValueError):
        wrapped.close()
        raise
    return wrapped


def _answer(response: http.client.HTTPResponse) -> Answer:
    text = response.read(MOST_ANSWER_BYTES).decode("utf-8", "replace").replace("\0", "\ufffd").strip()
    said = f": {text[:500]}" if text and response.status >= 300 else "."
    return Answer(response.status, f"It answered {response.status}{said}", _wait(response.getheader("Retry-After")))


def _wait(header: str | None) -> float:
    """Seconds, from a number of them or a date."""
    if not header:
        return 0.0
    if header.isascii() and header.isdigit():
        return min(float(header[:9]), LONGEST_WAIT_SECONDS)
    try:
        seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}."
    if isinstance(error, TimeoutError):
        return "It did not answer in time."
    return f"It cannot be reached: {error or type(error).__name__}."
