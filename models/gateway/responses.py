"""What the gateway answers: a response, and the problems that RFC 9457 describes."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

JSON = b"application/json"
PROBLEM = b"application/problem+json"
TEXT = b"text/plain; version=0.0.4; charset=utf-8"

Headers = tuple[tuple[bytes, bytes], ...]


class Response(NamedTuple):
    """One answer, not yet in HTTP's words."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = ()
    close: bool = False


def problem(
    status: int,
    detail: str,
    *,
    remedy: str,
    title: str = "",
    errors: Sequence[dict[str, Any]] = (),
    headers: Headers = (),
    close: bool = False,
) -> Response:
    """A problem: `detail` says what happened and why, `remedy` what to do next."""
    title = title or HTTPStatus(status).phrase
    kind = title.lower().replace(" ", "-")
    body = {
        "type": f"urn:modelwright:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "remedy": remedy,
        "errors": list(errors),
    }
    return Response(status, orjson.dumps(body), PROBLEM, headers, close)


def unavailable(detail: str, *, remedy: str, retry_after: int = 1, title: str = "") -> Response:
    """A 503 that says after how many seconds another try makes sense."""
    return problem(503, detail, remedy=remedy, title=title, headers=((b"Retry-After", b"%d" % retry_after),))


_HEADS: dict[tuple[int, bytes], bytes] = {}


def render(response: Response, *, close: bool, without_body: bool = False) -> bytes:
    """The bytes of an HTTP/1.1 response."""
    key = (response.status, response.content_type)
    head = _HEADS.get(key)
    if head is None:
        status = HTTPStatus(response.status)
        head = b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\n" % (status, status.phrase.encode(), response.content_type)
        _HEADS[key] = head
    parts = [head, _length_line(len(response.body))]
    for name, value in response.headers:
        parts += (name, b": ", value, b"\r\n")
    if close:
        parts.append(b"Connection: close\r\n")
    parts += (b"\r\n", b"" if without_body else response.body)
    return b"".join(parts)


# Writing numbers costs more than everything else here; most answers are small.
_LENGTH_LINES = [b"Content-Length: %d\r\n" % length for length in range(4096)]


def _length_line(length: int) -> bytes:
    return _LENGTH_LINES[length] if length < len(_LENGTH_LINES) else b"Content-Length: %d\r\n" % length
