"""The route table: which endpoints there are, who may call them, and what serves them. Immutable once parsed."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from models.gateway import paths
from models.gateway.fallbacks import VERSION, Fallback, parse_fallback
from models.gateway.graphs.serving import Served, face
from models.gateway.routing import PLAIN, Routing, Units, parse_routing
from models.gateway.signature import FreeSignature, Signature, compile_signature

LIVE, CANARY, SHADOW, FALLBACK, NODE = "live", "canary", "shadow", "fallback", "node"
ROLES = frozenset((LIVE, CANARY, SHADOW, FALLBACK, NODE))
WEIGHTED = (LIVE, CANARY)  # takes requests by its weight


class RoutesError(Exception):
    """The file is no route table; the message says where it is not."""


class Target(NamedTuple):
    """One model version behind an endpoint. `sockets` are its replicas; equal tuples share one batch queue. `graph` is
    that of a whole graph, which looks like a version; it has no replicas of its own."""

    model_version_id: str
    model: str
    version: int
    weight: int
    signature: Signature | FreeSignature
    sockets: tuple[str, ...]
    served_by: str = "original"
    example: bytes = b""  # a record as JSON, for the OpenAPI document
    role: str = LIVE
    graph: Served | None = None


class Extras(NamedTuple):
    """What an endpoint may have besides: who is meant for which version, what answers where the model does not, the
    graph that is asked in its stead, as a target; and whether it was stopped, so that only its fallback answers."""

    routing: Routing = PLAIN
    fallback: Fallback | None = None
    graph: Target | None = None
    is_stopped: bool = False


class Endpoint:
    """What a request is answered by. The values of the columns `redact` are kept off the record.

    `plain` is the one version that answers everything, None where that takes a closer look. `shadows` are asked after
    the answer, `stand_in` is the version that answers when others fail, None where there is none.
    """

    __slots__ = (
        *("_bounds", "_weighted", "deployment_id", "deployment_number", "endpoint_id", "keys", "name", "redact"),
        *("fallback", "graph", "is_stopped", "plain", "routing", "shadows", "stand_in", "targets", "units"),
    )

    def __init__(
        self,
        name: str,
        endpoint_id: str,
        deployment_id: str,
        deployment_number: int,
        keys: dict[str, str],
        targets: tuple[Target, ...],
        redact: frozenset[str] = frozenset(),
        extras: Extras = Extras(),  # noqa: B008 - immutable
    ) -> None:
        self.name = name
        self.endpoint_id = endpoint_id
        self.deployment_id = deployment_id
        self.deployment_number = deployment_number
        self.keys = keys
        self.targets = targets
        self.redact = redact
        self._weighted = [target for target in targets if target.weight > 0]
        self._bounds = list(accumulate(target.weight for target in self._weighted))
        self.routing, self.fallback, self.graph, self.is_stopped = extras
        if self.graph is not None:
            self._weighted, self._bounds = [self.graph], [self.graph.weight]
        self.shadows = tuple(target for target in targets if target.role == SHADOW)
        is_version = self.fallback is not None and self.fallback.kind == VERSION
        self.stand_in = next((one for one in targets if one.role == FALLBACK), None) if is_version else None
        assign = self.routing.assign
        weights = [(target.model_version_id, target.weight) for target in self._weighted]
        self.units = Units(assign.salt, weights) if assign is not None and weights else None
        is_plain = len(self._weighted) == 1 and self._weighted[0].role == LIVE
        is_plain = is_plain and self.graph is None and not self.is_stopped and not self.routing.pins
        self.plain = self._weighted[0] if is_plain else None

    def pick(self, is_available: Callable[[Target], bool]) -> Target | None:
        """A target by weight; one that is available where there is any; None when no target has weight."""
        if len(self._weighted) == 1:
            return self._weighted[0]
        if not self._weighted:
            return None
        target = self._draw(self._weighted, self._bounds)
        return target if is_available(target) else self.draw(self._weighted, is_available)

    def pick_named(self, model: str, version: str, is_available: Callable[[Target], bool]) -> Target | None:
        """As `pick`, among the targets that a client named; the endpoint's own name stands for all of its models.
        None when none of them takes requests."""
        return self.draw(self.named(model, version), is_available)

    def draw(self, targets: Sequence[Target], is_available: Callable[[Target], bool]) -> Target | None:
        """One of the targets by weight; one that is available where there is any; None of none."""
        if len(targets) < 2:
            return targets[0] if targets else None
        available = [target for target in targets if is_available(target)] or targets
        return self._draw(available, list(accumulate(target.weight for target in available)))

    def named(self, model: str, version: str) -> list[Target]:
        """The targets that take requests and have this name and version; empty texts and the endpoint's own name stand
        for all."""
        return [
            target
            for target in self._weighted
            if model in ("", target.model, self.short_name) and version in ("", str(target.version))
        ]

    @property
    def weighted(self) -> Sequence[Target]:
        """The targets that take requests, in the order that `units` knows them by."""
        return self._weighted

    def pinned(self, model: str, version: str) -> Target | None:
        """The live or canary target of that name and version, whatever its weight, None where there is none."""
        for target in self.targets:
            is_named = model in (target.model, self.short_name) and version == str(target.version)
            if is_named and target.role in (LIVE, CANARY):
                return target
        return None

    @property
    def short_name(self) -> str:
        """The name without the workspace's."""
        return self.name.rpartition("/")[2]

    @staticmethod
    def _draw(targets: Sequence[Target], bounds: list[int]) -> Target:
        return targets[bisect_right(bounds, random.randrange(bounds[-1]))]  # noqa: S311 - weights, not secrets


class Match(NamedTuple):
    """What a path asks for, and of which endpoint. `model` and `version` are empty where the path names none; they may
    name what the endpoint does not serve. `is_pinned` is whether a header of the request named them."""

    endpoint: Endpoint
    protocol: str
    operation: str
    model: str = ""
    version: str = ""
    is_pinned: bool = False


class RouteTable:
    """All endpoints of one revision, by `<workspace>/<endpoint>` and by the paths clients ask. `troubles` says of those
    whose entries could not be used what is wrong with them."""

    def __init__(
        self, revision: int, endpoints: dict[str, Endpoint], troubles: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.revision = revision
        self.endpoints = endpoints
        self.troubles = troubles
        self._matches = {
            f"/{name}/{path}".encode(): Match(endpoint, *address)
            for name, endpoint in endpoints.items()
            for path, address in paths.hot(_models_of(endpoint)).items()
        }

    def match(self, path: bytes) -> Match | None:
        """What the path (without its query) asks for; None when that is nothing an endpoint here answers."""
        found = self._matches.get(path)
        return found if found is not None else self._match_with_care(path)

    def _match_with_care(self, path: bytes) -> Match | None:
        """An address that is seldom asked, names what the endpoint does not serve, or writes it in another way."""
        try:
            _, workspace, name, rest = path.decode("ascii").split("/", 3)
        except ValueError:
            return None
        endpoint = self.endpoints.get(f"{workspace}/{name}")
        address = paths.parse(rest) if endpoint is not None else None
        return Match(endpoint, *address) if endpoint is not None and address is not None else None

    def targets(self) -> list[Target]:
        """Every target of every endpoint."""
        return [target for endpoint in self.endpoints.values() for target in endpoint.targets]


def _models_of(endpoint: Endpoint) -> set[tuple[str, int]]:
    versions = {(target.model, target.version) for target in (*endpoint.targets, *endpoint.weighted)}
    return versions | {(endpoint.short_name, version) for _, version in versions}


EMPTY = RouteTable(0, {})


_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def parse(content: bytes, before: RouteTable = EMPTY) -> RouteTable:
    """The table that the file's bytes hold. Raises `RoutesError` when they are none.

    An entry that cannot be used is that endpoint's trouble alone: its targets stay as `before` had them, with the keys
    and redactions of now; it is left out where there is nothing to keep, or these cannot be read either.
    """
    endpoints: dict[str, Endpoint] = {}
    troubles: dict[str, str] = {}
    try:
        data = orjson.loads(content)
        revision, entries = int(data["revision"]), data["endpoints"].items()
        for name, entry in entries:
            try:
                endpoints[name] = _endpoint(name, entry)
            except _MALFORMED as error:
                troubles[name] = _told(error)
                kept = _kept(name, entry, before.endpoints.get(name))
                if kept is not None:
                    endpoints[name] = kept
        return RouteTable(revision, endpoints, troubles)
    except _MALFORMED as error:
        raise RoutesError(_told(error)) from error


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"


def _endpoint(name: str, entry: dict[str, Any]) -> Endpoint:
    number, targets = int(entry["deployment_number"]), tuple(_target(target) for target in entry["targets"])
    return Endpoint(
        name,
        str(entry["endpoint_id"]),
        str(entry["deployment_id"]),
        number,
        _keys(entry),
        targets,
        _redact(entry),
        _extras(name, number, entry, targets),
    )


def _extras(name: str, number: int, entry: dict[str, Any], targets: Sequence[Target]) -> Extras:
    given, state = entry.get("graph"), entry.get("state", "active")
    if state not in ("active", "stopped"):
        raise ValueError(f"an endpoint is active or stopped, not {state}")
    if given is not None and not isinstance(given, dict):
        raise ValueError("a graph is an object")
    graph = face(name.rpartition("/")[2], number, given, targets) if given else None
    routing, fallback = parse_routing(entry.get("routing")), parse_fallback(entry.get("fallback"))
    return Extras(routing, fallback, graph, state == "stopped")


def _kept(name: str, entry: Any, last: Endpoint | None) -> Endpoint | None:
    try:
        if last is None or str(entry["endpoint_id"]) != last.endpoint_id:
            return None
        ids = last.endpoint_id, last.deployment_id, last.deployment_number
        extras = Extras(last.routing, last.fallback, last.graph, last.is_stopped)
        return Endpoint(name, *ids, _keys(entry), last.targets, _redact(entry), extras)
    except _MALFORMED:
        return None


def _keys(entry: dict[str, Any]) -> dict[str, str]:
    return {str(digest).lower(): str(key_id) for digest, key_id in entry["keys"].items()}


def _redact(entry: dict[str, Any]) -> frozenset[str]:
    return frozenset(str(column) for column in entry.get("redact", ()))


def _target(entry: dict[str, Any]) -> Target:
    weight = int(entry["weight"])
    if weight < 0:
        raise ValueError(f"a weight of {weight} is negative")
    role = str(entry.get("role") or LIVE)
    if role not in ROLES:
        raise ValueError(f"there is no role {role[:40]}")
    return Target(
        str(entry["model_version_id"]),
        str(entry["model"]),
        int(entry["version"]),
        weight if role in WEIGHTED else 0,
        compile_signature(entry["signature"]),
        tuple(str(path) for path in entry["sockets"]),
        str(entry.get("served_by") or "original"),
        _example(entry.get("example")),
        role,
    )


def _example(record: Any) -> bytes:
    """A record as JSON; nothing where it is none, for a table does not fail by that."""
    try:
        return orjson.dumps(record) if isinstance(record, dict) else b""
    except TypeError:
        return b""
