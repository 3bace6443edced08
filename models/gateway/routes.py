"""The route table: which endpoints there are, who may call them, and what serves them. Immutable once parsed."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

import orjson

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


class Endpoint:
    """What a request is answered by."""

    __slots__ = ("_bounds", "_weighted", "deployment_id", "deployment_number", "endpoint_id", "keys", "name", "targets")

    def __init__(
        self,
        name: str,
        endpoint_id: str,
        deployment_id: str,
        deployment_number: int,
        keys: dict[str, str],
        targets: tuple[Target, ...],
    ) -> None:
        self.name = name
        self.endpoint_id = endpoint_id
        self.deployment_id = deployment_id
        self.deployment_number = deployment_number
        self.keys = keys
        self.targets = targets
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

    @staticmethod
    def _draw(targets: list[Target], bounds: list[int]) -> Target:
        return targets[bisect_right(bounds, random.randrange(bounds[-1]))]  # noqa: S311 - weights, not secrets


class RouteTable:
    """All endpoints of one revision, by `<workspace>/<endpoint>` and by the path clients post to."""

    def __init__(self, revision: int, endpoints: dict[str, Endpoint]) -> None:
        self.revision = revision
        self.endpoints = endpoints
        self.by_path = {f"/{name}/predict".encode(): endpoint for name, endpoint in endpoints.items()}

    def targets(self) -> list[Target]:
        """Every target of every endpoint."""
        return [target for endpoint in self.endpoints.values() for target in endpoint.targets]


EMPTY = RouteTable(0, {})


def parse(content: bytes) -> RouteTable:
    """The table that the file's bytes hold. Raises `RoutesError`; a table is taken whole or not at all."""
    try:
        data = orjson.loads(content)
        endpoints = {str(name): _endpoint(str(name), entry) for name, entry in data["endpoints"].items()}
        return RouteTable(int(data["revision"]), endpoints)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RoutesError(f"{type(error).__name__}: {error}") from error


def _endpoint(name: str, entry: dict[str, Any]) -> Endpoint:
    return Endpoint(
        name,
        str(entry["endpoint_id"]),
        str(entry["deployment_id"]),
        int(entry["deployment_number"]),
        {str(digest).lower(): str(key_id) for digest, key_id in entry["keys"].items()},
        tuple(_target(target) for target in entry["targets"]),
    )


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
    )
