"""Which version a request is meant for, where weights alone do not say it: units, pins by header, pins by key."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

HEADER, COLUMN = "header", "column"
MAX_NAME = 200
MAX_SALT = 200
PIN_HEADER = b"x-modelwright-version"
_HEADER_NAME = re.compile(r"x-[a-z0-9-]{1,98}")
_BITS = 52


class RoutingError(ValueError):
    """What is given is no routing; the message says what is wrong, for people."""


class Assign(NamedTuple):
    """By what requests are told apart: the value of a header, or of a column of the first record."""

    by: str
    name: str
    salt: str


class Routing(NamedTuple):
    """`pins_header` is whether clients may name a version in `X-Modelwright-Version`; `pins` are versions by key."""

    assign: Assign | None = None
    pins_header: bool = True
    pins: Mapping[str, str] = MappingProxyType({})


def parse_routing(data: Any) -> Routing:
    """What a deployment's routing says; nothing, or an empty one, is the default. Raises `RoutingError`."""
    if not data:
        return PLAIN
    if not isinstance(data, dict) or not data.keys() <= {"assign", "pins"}:
        raise RoutingError("a routing has the entries assign and pins")
    pins = data.get("pins") or {}
    if not isinstance(pins, dict) or not pins.keys() <= {"header", "keys"}:
        raise RoutingError("pins have the entries header and keys")
    by_header, by_key = pins.get("header", True), pins.get("keys") or {}
    if not isinstance(by_header, bool):
        raise RoutingError("header of pins is neither true nor false")
    if not isinstance(by_key, dict) or not all(isinstance(version, str) for version in by_key.values()):
        raise RoutingError("keys of pins are no mapping of a key's id to a version's")
    return Routing(_assign(data.get("assign")), by_header, {str(key): version for key, version in by_key.items()})


def _assign(data: Any) -> Assign | None:
    if data is None:
        return None
    if not isinstance(data, dict) or not {"by", "name"} <= data.keys() <= {"by", "name", "salt"}:
        raise RoutingError("assign has the entries by and name, and may have salt")
    by, name, salt = data["by"], data["name"], data.get("salt", "")
    if by not in (HEADER, COLUMN):
        raise RoutingError("assign is by header or by column")
    if not isinstance(name, str) or len(name) > MAX_NAME:
        raise RoutingError(f"the name of assign is no text of at most {MAX_NAME} characters")
    if not isinstance(salt, str) or len(salt) > MAX_SALT:
        raise RoutingError(f"the salt of assign is no text of at most {MAX_SALT} characters")
    if by == HEADER:
        name = name.lower()
        if not _HEADER_NAME.fullmatch(name) or name.encode() == PIN_HEADER:
            raise RoutingError("the header of assign begins with x-, and has letters, digits and hyphens alone")
    return Assign(by, name, salt)


class Units:
    """Shares units (people, customers, devices) among versions by weight: the same unit meets the same version.

    Weighted rendezvous hashing: each version has a number of its own for each unit, stretched by its weight, and the
    largest wins. So when one weight grows and the others stay, or shrink alike, units move to that version alone; when
    a version is left out, only its own units move. Every process of every gateway comes to the same answer.
    """

    def __init__(self, salt: str, weights: Sequence[tuple[str, int]]) -> None:
        """`weights` are the versions' ids and weights; at least one is above 0."""
        self._scorers = [
            (blake2b(f"{salt}\0{version}\0".encode(errors="replace"), digest_size=8), float(weight), index)
            for index, (version, weight) in enumerate(weights)
        ]

    def place(self, unit: str, among: Collection[int] | None = None) -> int:
        """The place in `weights` of the unit's version, of those `among` where that is given. Raises ValueError where
        none has a weight."""
        encoded = unit.encode(errors="replace")
        return (
            max(
                (weight / -math.log(_share(hasher, encoded)), -index)
                for hasher, weight, index in self._scorers
                if weight > 0 and (among is None or index in among)
            )[1]
            * -1
        )


def _share(hasher: Any, unit: bytes) -> float:
    """A number between 0 and 1, neither of which it is."""
    own = hasher.copy()
    own.update(unit)
    return ((int.from_bytes(own.digest()) >> (64 - _BITS)) + 0.5) / (1 << _BITS)


def unit_text(value: Any) -> str | None:
    """A unit as text; None for what is none. One number, however it is written, is one unit."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (int, float)):
        return repr(value)
    return value if isinstance(value, str) and value else None


PLAIN = Routing()
