"""Which addresses of repositories may be asked: https alone, and nothing inside the network."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from modelwright.core.errors import ValidationFailed
from modelwright.core.outside import Refused, dialled, is_allowed, literal, look_up

MOST_CHARACTERS = 1000
REMEDY = (
    "Give an address such as https://git.example.org/team/project.git, or ask the administrator to allow its network "
    "(MODELWRIGHT_IMPORT_NETWORKS)."
)
# Nothing that one program takes for another name than the next one: no escapes, no final dot, no number that is an
# address in disguise (0x7f000001, 127.1).
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Place(NamedTuple):
    """Where the repository is: `addresses` are those that were judged, none for an address that is no name."""

    host: str
    port: int
    addresses: tuple[str, ...] = ()


def check_address(address: str) -> str:
    """The address as it is kept. Raises ValidationFailed for what can never be imported; no name is looked up yet."""
    try:
        place = _parts(address.strip())
        found = literal(place.host)
        if found is not None and not is_allowed(found, settings.IMPORT_NETWORKS):
            raise Refused(_inside(place.host))
    except Refused as refused:
        raise ValidationFailed(str(refused), remedy=REMEDY, field="address") from None
    return address.strip()


def place_of(address: str) -> Place:
    """Look the address up now. Raises Refused, also where any of the name's addresses may not be asked."""
    place = _parts(address)
    one = literal(place.host)
    found = [one] if one is not None else look_up(place.host, place.port)
    if not found or not all(is_allowed(each, settings.IMPORT_NETWORKS) for each in found):
        raise Refused(_inside(place.host))
    return place if one is not None else place._replace(addresses=tuple(str(dialled(each)) for each in found))


def _parts(address: str) -> Place:
    if len(address) > MOST_CHARACTERS or not address.isascii() or not address.isprintable() or " " in address:
        raise Refused(f"The address is not one of at most {MOST_CHARACTERS} plain characters.")
    try:
        parts = urlsplit(address)
        port = 443 if parts.port is None else parts.port
    except ValueError:
        raise Refused("The address cannot be read.") from None
    if not address.startswith("https://") or not parts.hostname or not parts.path.strip("/"):
        raise Refused("The address does not begin with https://, the name of a server and a path.")
    if "@" in parts.netloc:
        raise Refused("The address holds a user's name or password, which would stand in logs.")
    if parts.query or parts.fragment or "\\" in address or "?" in address or "#" in address:
        raise Refused("The address has a part behind ? or #, or a backslash.")
    if not port or "%" in parts.netloc or (literal(parts.hostname) is None and not _NAME.fullmatch(parts.hostname)):
        raise Refused("The address names no server that can be looked up.")
    return Place(parts.hostname, port)


def _inside(host: str) -> str:
    return f"{host} is an address inside the network, from where nothing is imported."
