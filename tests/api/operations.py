"""The schema's operations, joined with the routes that serve them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from modelwright.console.openapi import document_text
from tests.matrix.bodies import BODIES, QUERIES, VALUES, filled
from tests.matrix.routes import METHODS, Route, routes
from tests.matrix.world import World

_NIL = "00000000-0000-4000-8000-000000000000"


@cache
def schema() -> dict[str, Any]:
    """The OpenAPI document, as `/api/schema/` answers it."""
    found: dict[str, Any] = json.loads(document_text())
    return found


@dataclass(frozen=True)
class Operation:
    """A method of a route, and what the schema says of it."""

    route: Route
    method: str
    raw: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.route.name} {self.method}"

    @property
    def headers(self) -> set[str]:
        """The request headers that the schema names."""
        return {one["name"] for one in self.raw.get("parameters", []) if one["in"] == "header"}

    def request(self, world: World, role: str) -> tuple[str, Any]:
        """The address and the body of a request that succeeds for those who may."""
        values = world.values_for(role)
        values |= filled(VALUES.get(self.route.name, {}), values)
        query = "&".join(f"{name}={value}" for name, value in QUERIES.get(self.route.name, {}).items())
        address = self.route.address(values) + (f"?{query}" if query else "")
        return address, filled(BODIES.get((self.route.name, self.method), {}), values)


def operations() -> list[Operation]:
    """Every operation under `/api/v1/`. Fails where a route is not in the schema, or the schema has one more."""
    documented = {
        (re.sub(r"\{\w+\}", "{}", path), method.upper()): raw
        for path, methods in schema()["paths"].items()
        for method, raw in methods.items()
    }
    found = [
        Operation(route, method, documented.pop((_shape(route), method)))
        for route in routes()
        if route.is_api and route.name != "api-schema"
        for method in METHODS
        if method in (route.permissions or {})
    ]
    assert not documented, f"in the schema, but no route: {sorted(documented)}"
    return found


def _shape(route: Route) -> str:
    marks = {name: f"MARK{number}" for number, name in enumerate(route.variables)}
    values: dict[str, Any] = dict.fromkeys(route.variables, _NIL)
    plain = {name: mark for name, mark in marks.items() if name in ("name", "username", "sha", "alias", "form")}
    return re.sub(rf"{_NIL}|MARK\d+", "{}", route.address(values | plain))


def ids(found: Iterator[Operation] | list[Operation]) -> list[str]:
    """Names for pytest."""
    return [str(one) for one in found]
