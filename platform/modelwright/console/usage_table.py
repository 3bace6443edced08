"""The rows of an answer about usage as a list that can be sorted and has pages, for `components/table.html`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from modelwright.console.usage import Answer, Row
from modelwright.console.usage_names import GROUPINGS
from modelwright.core.listing import Column, Heading

PAGE_SIZE = 50
_KEPT = ("workspace", "project", "by", "since", "until", "measure")
_ORDERS: Final[dict[str, Callable[[Row], Any]]] = {
    "name": lambda row: row.name.label.lower(),
    "cpu": lambda row: row.usage.cpu_hours,
    "memory": lambda row: row.usage.gib_hours,
    "gpu": lambda row: row.usage.gpu_hours,
    "workloads": lambda row: row.usage.workloads,
    "cost": lambda row: row.cost or 0.0,
}


class UsageTable:
    """Sorted by `sort`, a name of a column with `-` in front for descending; `page` counts from 1."""

    def __init__(self, answer: Answer, params: Mapping[str, Any]) -> None:
        self._by = answer.question.by
        self._kept = {name: str(params[name]) for name in _KEPT if params.get(name)}
        sort = str(params.get("sort") or "")
        self.sort = sort if sort.removeprefix("-") in _ORDERS else "-cpu"
        order = _ORDERS[self.sort.removeprefix("-")]
        self._all = sorted(answer.rows, key=order, reverse=self.sort.startswith("-"))
        page = str(params.get("page") or "1")
        self.page = min(max(int(page[:6]), 1), self.pages) if page.isascii() and page.isdigit() else 1
        self._columns = [
            Column(GROUPINGS[answer.question.by].label, "name"),
            Column("CPU-hours", "cpu", numeric=True),
            Column("GiB-hours", "memory", numeric=True),
            Column("GPU-hours", "gpu", numeric=True),
            Column("Workloads", "workloads", numeric=True),
            *([Column(f"Cost in {answer.rates.currency}", "cost", numeric=True)] if answer.rates else []),
        ]

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self._all)

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.total // PAGE_SIZE))

    @property
    def rows(self) -> list[Row]:
        """The rows of this page."""
        return self._all[(self.page - 1) * PAGE_SIZE : self.page * PAGE_SIZE]

    @property
    def linked_rows(self) -> list[tuple[Row, str]]:
        """The rows of this page, each with the query string that asks who used it, empty where that says nothing."""
        asked = self._by == "project"
        return [
            (row, self.query(project=row.key, by="person", page="") if asked and row.key else "") for row in self.rows
        ]

    @property
    def first_number(self) -> int:
        """The number of the first row on this page."""
        return (self.page - 1) * PAGE_SIZE + 1 if self.total else 0

    @property
    def last_number(self) -> int:
        """The number of the last row on this page."""
        return min(self.page * PAGE_SIZE, self.total)

    @property
    def headings(self) -> list[Heading]:
        """The column headings with their sort addresses."""
        found = []
        for column in self._columns:
            direction = {column.sort: "ascending", f"-{column.sort}": "descending"}.get(self.sort, "")
            wanted = column.sort if direction == "descending" or column.sort == "name" else f"-{column.sort}"
            if direction == "ascending":
                wanted = f"-{column.sort}"
            found.append(Heading(column, self.query(sort=wanted), direction))
        return found

    @property
    def previous_query(self) -> str:
        """The query string of the page before, empty on the first."""
        return self.query(page=str(self.page - 1)) if self.page > 1 else ""

    @property
    def next_query(self) -> str:
        """The query string of the page after, empty on the last."""
        return self.query(page=str(self.page + 1)) if self.page < self.pages else ""

    def query(self, **changes: str) -> str:
        """The query string of this table with `changes`; an empty value leaves a parameter out."""
        values = {**self._kept, "sort": "" if self.sort == "-cpu" else self.sort, **changes}
        return f"?{urlencode({name: value for name, value in values.items() if value})}"
