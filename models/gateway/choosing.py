"""Which version answers a request, and why: a name in the path or in a header, a pinned key, a unit, weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from models.gateway import paths
from models.gateway.routes import CANARY, LIVE, Endpoint, Match, Target
from models.gateway.routing import COLUMN, PIN_HEADER, unit_text

PATH, HEADER, KEY, UNIT, WEIGHT = "path", "header", "key", "unit", "weight"
IsAvailable = Callable[[Target], bool]
Facts = dict[str, Any]


class Choice(NamedTuple):
    """`facts` is what the record says of it besides, None where that is nothing. `unit` is what the request was
    assigned by, for a second choice by another table."""

    target: Target
    facts: Facts | None = None
    unit: str | None = None


def pinned(match: Match, headers: Mapping[bytes, bytes]) -> Match:
    """The match with the version that the client names in `X-Modelwright-Version`, where it names one."""
    value = headers.get(PIN_HEADER)
    endpoint = match.endpoint
    if value is None or match.operation != paths.PREDICT or not endpoint.routing.pins_header:
        return match
    model, _, version = value.decode("latin-1").strip().rpartition("/")
    if match.version and match.version != version:
        # Nothing is called so: the refusal says both.
        version = f"{match.version} (path) and {version} (header)"
    return match._replace(model=model or match.model or endpoint.short_name, version=version, is_pinned=True)


def unit_of(match: Match, headers: Mapping[bytes, bytes], records: Sequence[Any] | None) -> str | None:
    """What the endpoint assigns the request by; None where the client left it out, or nothing is assigned."""
    assign = match.endpoint.routing.assign
    if assign is None:
        return None
    if assign.by == COLUMN:
        first = records[0] if records else None
        return unit_text(first.get(assign.name)) if isinstance(first, dict) else None
    value = headers.get(assign.name.encode())
    return value.decode("latin-1").strip() or None if value is not None else None


class Chooser:
    """`digest` makes of a unit what stands on record: it does not tell the unit."""

    def __init__(self, is_available: IsAvailable, digest: Callable[[str], str]) -> None:
        self._is_available = is_available
        self._digest = digest

    def choose(self, match: Match, key_id: str, unit: str | None) -> Choice | None:
        """The version for a request; None where the endpoint serves none such. What a client named or was pinned to is
        chosen whether it is available or not; otherwise one that is available, where there is any."""
        endpoint = match.endpoint
        if match.is_pinned:
            return _told(endpoint.pinned(match.model, match.version), HEADER)
        named = endpoint.named(match.model, match.version) if match.model else list(endpoint.weighted)
        if endpoint.plain is not None and named:
            return Choice(endpoint.plain)
        if match.version and len(named) == 1:
            return _told(named[0], PATH)
        by_key = _pinned_to(endpoint, match, key_id)
        if by_key is not None:
            return _told(by_key, KEY)
        if endpoint.units is not None and unit is not None and named:
            return self._by_unit(endpoint, named, unit)
        target = endpoint.draw(named, self._is_available)
        return _told(target, WEIGHT)

    def _by_unit(self, endpoint: Endpoint, named: Sequence[Target], unit: str) -> Choice | None:
        units = endpoint.units
        if units is None:
            return None
        places = {place for place, target in enumerate(endpoint.weighted) if target in named}
        target = endpoint.weighted[units.place(unit, places)]
        assignment = {"by": UNIT, "unit": self._digest(unit)}
        if not self._is_available(target):
            others = {place for place in places if self._is_available(endpoint.weighted[place])}
            if others:
                assignment["away_from"] = target.model_version_id
                target = endpoint.weighted[units.place(unit, others)]
        return Choice(target, {"role": target.role, "assignment": assignment}, unit)


def _pinned_to(endpoint: Endpoint, match: Match, key_id: str) -> Target | None:
    """The version that the key is pinned to, unless the path names another model."""
    version_id = endpoint.routing.pins.get(key_id)
    if version_id is None:
        return None
    for target in endpoint.targets:
        if target.model_version_id == version_id and target.role in (LIVE, CANARY):
            is_named = not match.model or match.model in (target.model, endpoint.short_name)
            return target if is_named and match.version in ("", str(target.version)) else None
    return None


def _told(target: Target | None, by: str) -> Choice | None:
    return None if target is None else Choice(target, {"role": target.role, "assignment": {"by": by}})
