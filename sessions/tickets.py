"""What the platform and the proxy sign for each other and for browsers: tickets that let in once, passes that stay.

Knows no Django. Both are made with keys that come from one secret, which is not the platform's own secret key: who
holds the proxy cannot sign for the platform.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

import orjson

TICKET_SECONDS = 30
# The login of the platform ends a pass; this only ends those that nobody used for long.
PASS_SECONDS = 7 * 24 * 3600
LONGEST_TEXT = 2048

_TICKET = b"modelwright sessions ticket\0"
_PASS = b"modelwright sessions pass\0"


class Unsigned(ValueError):
    """The text was not signed here, or is not good any more; it says which."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Lets one person, from one login, through the door of `key` once, to `path`, until `expires` (unix seconds)."""

    key: str
    user: str
    login: str
    path: str
    expires: float
    number: str = field(default_factory=lambda: secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class Pass:
    """Says to the proxy who came in by a ticket of `key`, from which login, and when (unix seconds)."""

    key: str
    user: str
    login: str
    issued: float


def sign_ticket(secret: str, ticket: Ticket) -> str:
    """The text of a ticket, which fits into an address."""
    row = [ticket.key, ticket.user, ticket.login, ticket.path, ticket.expires, ticket.number]
    return _sign(_TICKET, secret, row)


def read_ticket(secret: str, text: str, *, now: float) -> Ticket:
    """The ticket of the text. Raises Unsigned."""
    row = _read(_TICKET, secret, text)
    ticket = Ticket(str(row[0]), str(row[1]), str(row[2]), str(row[3]), float(row[4]), str(row[5]))
    if ticket.expires < now:
        raise Unsigned("it is too old")
    return ticket


def sign_pass(secret: str, given: Pass) -> str:
    """The text of a pass, which fits into a cookie."""
    return _sign(_PASS, secret, [given.key, given.user, given.login, given.issued])


def read_pass(secret: str, text: str, *, now: float) -> Pass:
    """The pass of the text. Raises Unsigned."""
    row = _read(_PASS, secret, text)
    given = Pass(str(row[0]), str(row[1]), str(row[2]), float(row[3]))
    if not given.issued <= now + 60 <= given.issued + PASS_SECONDS + 60:
        raise Unsigned("it is too old")
    return given


def _sign(purpose: bytes, secret: str, row: list[Any]) -> str:
    body = base64.urlsafe_b64encode(orjson.dumps(row)).rstrip(b"=")
    return f"{body.decode()}.{_mark(purpose, secret, body)}"


def _read(purpose: bytes, secret: str, text: str) -> list[Any]:
    if len(text) > LONGEST_TEXT or not text.isascii():
        raise Unsigned("it is not signed")
    body, _, mark = text.partition(".")
    if not hmac.compare_digest(mark.encode(), _mark(purpose, secret, body.encode()).encode()):
        raise Unsigned("it is not signed")
    try:
        row: list[Any] = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError) as error:
        raise Unsigned("it makes no sense") from error
    return row


def _mark(purpose: bytes, secret: str, body: bytes) -> str:
    key = hashlib.sha256(purpose + secret.encode()).digest()
    return base64.urlsafe_b64encode(hmac.new(key, body, hashlib.sha256).digest()).rstrip(b"=").decode()
