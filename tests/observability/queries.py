"""Dashboards, and what their queries read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def expressions(value: Any) -> Iterator[str]:
    """Every query of a dashboard, those of its variables too."""
    if isinstance(value, dict):
        if "expr" in value:
            yield value["expr"]
        elif value.get("type") == "query":
            yield re.sub(r"label_values\((.*), *\w+\)", r"\1", value["query"]["query"])
        for inner in value.values():
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def selectors(text: str) -> list[promql_parser.VectorSelector]:
    """What a query reads. Raises where Prometheus would not understand it."""
    text = text.replace("$__rate_interval", "1m").replace("$endpoint", ".*").replace("$host", ".*")
    found: list[promql_parser.VectorSelector] = []

    def look(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
            inner = getattr(node, name, None)
            if inner is not None:
                look(inner)
        for inner in getattr(node, "args", None) or ():
            look(inner)

    look(promql_parser.parse(text))
    return found
