"""The filter bar and the pages of a search, as the components of lists draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from models.endpoints.models import Endpoint
from models.predictions.conditions import MAX_NAME, OPERATORS
from models.predictions.search import PROTOCOLS, ROLES, Cursor, Found, columns_of, find, read
from modelwright.core.listing import BoundFilter, Column, Filter, Heading

COLUMNS = (
    *(Column("Prediction"), Column("At"), Column("Version"), Column("Input"), Column("Output"), Column("Key")),
    Column("Latency (ms)", numeric=True),
)
_STATUS = (("answered", "Answered"), ("failed", "Failed"), ("502", "Failed: the model raised"), ("504", "Failed: late"))
_NAMELESS = "(the nameless input)"


@dataclass(frozen=True, slots=True)
class _Parameters:
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        return str(self.values.get(name) or "").replace("\0", "").strip()[:MAX_NAME]


class SearchListing:
    """One page of the predictions of an endpoint that an address asks for, newest first."""

    sort_parameter = ""

    def __init__(self, endpoint: Endpoint, params: Mapping[str, Any], *, page_size: int = 50) -> None:
        self._endpoint = endpoint
        self._given = _Parameters(params)
        self._page_size = page_size
        self.search, problems = read(endpoint, params)
        self.problems = [f"{problem.message} {problem.remedy}".strip() for problem in problems]
        self.filters = [BoundFilter(each, self._given.text(each.name)) for each in _filters(columns_of(endpoint))]

    @cached_property
    def found(self) -> Found:
        """The page."""
        return find(self._endpoint, self.search, cursor=self._cursor(), limit=self._page_size)

    @property
    def headings(self) -> list[Heading]:
        """The columns; only the order of time is had at any size."""
        return [Heading(column, "", "") for column in COLUMNS]

    @property
    def is_filtered(self) -> bool:
        """Whether the person narrowed the list."""
        return any(bound.value for bound in self.filters)

    def query(self, **changes: str) -> str:
        """The query string of this search with `changes`."""
        values = {bound.filter.name: bound.value for bound in self.filters} | changes
        text = urlencode({name: value for name, value in values.items() if value})
        return f"?{text}" if text else "?"

    @property
    def clear_query(self) -> str:
        """The query string without any filter."""
        return "?"

    @property
    def older_query(self) -> str:
        """The query string of the page of older ones, empty where there are none."""
        return self._page_query(self.found.older)

    @property
    def newer_query(self) -> str:
        """The query string of the page of newer ones, empty where there are none."""
        return self._page_query(self.found.newer)

    def _page_query(self, cursor: Cursor | None) -> str:
        if cursor is None:
            return ""
        return self.query(cursor=f"{'after' if cursor.is_after else 'before'}:{cursor.id}")

    def _cursor(self) -> Cursor | None:
        direction, _, text = self._given.text("cursor").partition(":")
        try:
            return Cursor(UUID(text), direction == "after") if direction in ("before", "after") else None
        except ValueError:
            return None


def _filters(columns: Mapping[str, str]) -> list[Filter]:
    names = [(name, name or _NAMELESS) for name in columns]
    value_filters = [
        Filter("column", "Input column", choices=names),
        Filter("op", "Comparison", choices=tuple(OPERATORS.items())),
        Filter("value", "Value"),
    ]
    return [
        Filter("id", "Prediction id"),
        Filter("since", "From day", kind="date"),
        Filter("until", "To day", kind="date"),
        Filter("version", "Version number"),
        Filter("deployment", "Deployment number"),
        Filter("status", "Outcome", choices=_STATUS),
        Filter("protocol", "Protocol", choices=[(name, name) for name in PROTOCOLS]),
        Filter("role", "Role", choices=[(name, name.capitalize()) for name in ROLES]),
        Filter("key", "Key"),
        *(value_filters if names else ()),
    ]
