"""Which addresses events may be posted to: none inside the network, unless the administrator says so.

A sink is named by people of projects, and the platform stands where they do not: beside databases, other machines'
management, a cloud's metadata. So a name is looked up here, each of its addresses must be allowed, and the connection
goes to the very address that was judged (`posting.py`): a name that means something else a moment later gains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from modelwright.core import outside
from modelwright.core.errors import ValidationFailed
from modelwright.core.outside import LOOK_UP_SECONDS, Refused

MOST_CHARACTERS = 1000


class Destination(NamedTuple):
    """Where a POST goes: the first of `addresses` that can be reached, under the name `host`."""

    is_tls: bool
    host: str
    port: int
    path: str
    addresses: Sequence[str]

    @property
    def authority(self) -> str:
        """The header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.is_tls else 80) else f"{name}:{self.port}"


def check_url(url: str) -> str:
    """The address as it is kept. Raises ValidationFailed for what can never be a sink; names are not looked up yet."""
    try:
        destination = _parts(url.strip())
        literal = outside.literal(destination.host)
        if literal is not None and not is_allowed(literal):
            raise Refused(_inside(destination.host))
    except Refused as refused:
        raise ValidationFailed(
            str(refused),
            remedy="Give the address of a server outside, such as https://events.example.org/in, or ask the "
            "administrator to allow its network (MODELWRIGHT_EVENT_SINK_NETWORKS).",
            field="url",
        ) from None
    return url.strip()


def destination_of(url: str, *, seconds: float = LOOK_UP_SECONDS) -> Destination:
    """Look the address up now, for so long at most. Raises Refused, also where any of the name's addresses may not be
    asked."""
    destination = _parts(url)
    literal = outside.literal(destination.host)
    found = [literal] if literal is not None else outside.look_up(destination.host, destination.port, seconds)
    if not all(map(is_allowed, found)):
        raise Refused(_inside(destination.host))
    return destination._replace(addresses=[str(outside.dialled(address)) for address in found])


def is_allowed(address: outside.Address) -> bool:
    """Whether events may be posted there: a public address, or one of a network that the administrator named."""
    return outside.is_allowed(address, settings.EVENT_SINK_NETWORKS)


def _parts(url: str) -> Destination:
    if len(url) > MOST_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused(f"The address is not one of at most {MOST_CHARACTERS} plain characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("The address cannot be read.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("The address does not begin with https:// or http:// and the name of a server.")
    if "@" in parts.netloc:
        raise Refused("The address holds a user's name or password, which would stand in logs.")
    if parts.fragment:
        raise Refused("The address has a part behind #, which is never sent.")
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    is_tls = parts.scheme == "https"
    return Destination(is_tls, parts.hostname, port or (443 if is_tls else 80), path, ())


def _inside(host: str) -> str:
    return f"{host} is an address inside the network, where events are not sent."
