"""The route table: which endpoints there are, who may call them, and what serves them. Immutable once parsed."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from models.gateway import paths
from models.gateway.signature import FreeSignature, Signature, compile_signature


class RoutesError(Exception):
    """The file is no route table; the message says where it is not."""


class Target(NamedTuple):
    """One model version behind an endpoint. `sockets` are its replicas; equal tuples share one batch queue."""

    model_version_id: str
    model: str
    version: int
    weight: int
    signature: Signature | FreeSignature
    sockets: tuple[str, ...]
    served_by: str = "original"
    example: bytes = b""  # a record as JSON, for the OpenAPI document


class Endpoint:
    """What a request is answered by. The values of the columns `redact` are kept off the record."""

    __slots__ = (
        *("_bounds", "_weighted", "deployment_id", "deployment_number", "endpoint_id", "keys", "name", "redact"),
        "targets",
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

    def pick(self, is_available: Callable[[Target], bool]) -> Target | None:
        """A target by weight; one that is available where there is any; None when no target has weight."""
        if len(self._weighted) == 1:
            return self._weighted[0]
        if not self._weighted:
            return None
        target = self._draw(self._weighted, self._bounds)
        if is_available(target):
            return target
        others = [other for other in self._weighted if is_available(other)]
        if not others:
            return target
        return self._draw(others, list(accumulate(other.weight for other in others)))

    def pick_named(self, model: str, version: str, is_available: Callable[[Target], bool]) -> Target | None:
        """As `pick`, among the targets that a client named; the endpoint's own name stands for all of its models.
        None when none of them takes requests."""
        named = self.named(model, version)
        if len(named) < 2:
            return named[0] if named else None
        available = [target for target in named if is_available(target)] or named
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
    def short_name(self) -> str:
        """The name without the workspace's."""
        return self.name.rpartition("/")[2]

    @staticmethod
    def _draw(targets: list[Target], bounds: list[int]) -> Target:
        return targets[bisect_right(bounds, random.randrange(bounds[-1]))]  # noqa: S311 - weights, not secrets


class Match(NamedTuple):
    """What a path asks for, and of which endpoint. `model` and `version` are empty where the path names none; they may
    name what the endpoint does not serve."""

    endpoint: Endpoint
    protocol: str
    operation: str
    model: str = ""
    version: str = ""


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
    versions = {(target.model, target.version) for target in endpoint.targets}
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
    return Endpoint(
        name,
        str(entry["endpoint_id"]),
        str(entry["deployment_id"]),
        int(entry["deployment_number"]),
        _keys(entry),
        tuple(_target(target) for target in entry["targets"]),
        _redact(entry),
    )


def _kept(name: str, entry: Any, last: Endpoint | None) -> Endpoint | None:
    try:
        if last is None or str(entry["endpoint_id"]) != last.endpoint_id:
            return None
        ids = last.endpoint_id, last.deployment_id, last.deployment_number
        return Endpoint(name, *ids, _keys(entry), last.targets, _redact(entry))
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
    return Target(
        str(entry["model_version_id"]),
        str(entry["model"]),
        int(entry["version"]),
        weight,
        compile_signature(entry["signature"]),
        tuple(str(path) for path in entry["sockets"]),
        str(entry.get("served_by") or "original"),
        _example(entry.get("example")),
    )


def _example(record: Any) -> bytes:
    """A record as JSON; nothing where it is none, for a table does not fail by that."""
    try:
        return orjson.dumps(record) if isinstance(record, dict) else b""
    except TypeError:
        return b""
