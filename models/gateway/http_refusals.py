"""What the HTTP server refuses by itself, before anybody looks at a request."""

from __future__ import annotations

from models.gateway.responses import Response, problem


def bad_request(reason: str) -> Response:
    """What cannot be read as HTTP."""
    return problem(
        400,
        f"The request is no valid HTTP/1.1: {reason}.",
        remedy="Send the request with an HTTP client library or curl.",
        close=True,
    )


def body_too_large(limit: int) -> Response:
    """A body over the limit, in bytes."""
    return problem(
        413,
        f"The body is larger than the {limit} bytes that one request may have.",
        remedy="Send fewer records per request.",
        close=True,
    )


HEAD_TOO_LARGE = problem(
    431,
    "The request line and headers are larger than the gateway reads.",
    remedy="Send fewer or shorter headers.",
    close=True,
)
TOO_MANY_BODIES = problem(
    429,
    "The gateway is reading as many large bodies as it has room for.",
    title="Too many requests waiting",
    remedy="Try again after the seconds in Retry-After, or send fewer records per request.",
    headers=((b"Retry-After", b"1"),),
    close=True,
)
TOO_SLOW = problem(
    408,
    "The request did not arrive in time.",
    remedy="Send the whole request without pauses.",
    close=True,
)
ENCODED = problem(
    415,
    "The body is compressed, which the gateway does not read.",
    remedy="Send the JSON without Content-Encoding.",
)
OUR_FAULT = problem(
    500,
    "The gateway failed at this request.",
    remedy="Tell the administrator; the gateway's log says more.",
    close=True,
)
