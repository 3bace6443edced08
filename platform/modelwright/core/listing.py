"""Lists on pages: filter, sort and turn pages by the parameters of a GET request.

Wrong parameters never break a page: they are left out, and `problems` says what was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_date

M = TypeVar("M", bound=Model)
PAGE_SIZE = 50
MAX_TEXT = 200
# PostgreSQL refuses offsets beyond bigint, and nobody turns so many pages.
MAX_PAGE = 1_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `sort` names the parameter's value, `order` the field or fields behind it."""

    label: str
    sort: str = ""
    order: str | tuple[str, ...] = ()
    numeric: bool = False
    hidden_label: bool = False

    def fields(self, *, descending: bool) -> list[str]:
        """The `order_by` arguments for this column."""
        names = (self.order,) if isinstance(self.order, str) else self.order or (self.sort,)
        return [_flipped(name) if descending else name for name in names]


def _flipped(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of the bar above a table.

    `fields` are searched (text: contains, choice: equals, date: from that day on); `apply` replaces that.
    `kind` is text, choice or date; one with `choices` is a choice. `apply` may raise
    ValueError with what is wrong. A `rare` one is shown only while it is set, by a link from elsewhere.
    """

    name: str
    label: str
    fields: tuple[str, ...] = ()
    choices: Sequence[tuple[str, str]] = ()
    kind: str = "text"
    apply: Callable[[QuerySet[Any], str], QuerySet[Any]] | None = None
    help: str = ""
    rare: bool = False

    @property
    def css(self) -> str:
        """Its class in the filter bar."""
        return "choice" if self.is_choice else self.kind

    @property
    def is_choice(self) -> bool:
        """Whether it is drawn as a select."""
        return bool(self.choices) or self.kind == "choice"

    def _day(self, value: str) -> date:
        try:
            day = parse_date(value)
        except ValueError:
            day = None
        if day is None:
            raise ValueError(f"{self.label} is {value!r}; give a date such as 2026-11-26.")
        return day

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the rows that match. Raises ValueError with words for the person."""
        if self.is_choice and value not in {key for key, _ in self.choices}:
            raise ValueError(f"{self.label} has no value {value!r}; showing all.")
        if self.apply is not None:
            return self.apply(queryset, value)
        if self.kind == "date":
            return queryset.filter(**{f"{self.fields[0]}__date__gte": self._day(value)})
        lookup = "" if self.is_choice else "__icontains"
        match = Q()
        for field in self.fields:
            match |= Q(**{f"{field}{lookup}": value})
        return queryset.filter(match)


@dataclass(frozen=True, slots=True)
class BoundFilter:
    """A filter with the value that the person gave."""

    filter: Filter
    value: str

    @property
    def is_shown(self) -> bool:
        """Whether the bar shows it."""
        return bool(self.value) or not self.filter.rare


@dataclass(frozen=True, slots=True)
class Heading:
    """A column heading as the table draws it: `url` sorts by it, `direction` is ascending, descending or empty."""

    column: Column
    url: str
    direction: str


class Listing(Generic[M]):
    """One page of a filtered, sorted list.

    Parameters: each filter's name, `sort` (a column's `sort`, with `-` in front for descending) and `page`.
    `default_sort` is a sort of a column, or any `order_by` field.
    """

    def __init__(
        self,
        queryset: QuerySet[M],
        params: Mapping[str, Any],
        *,
        columns: Sequence[Column] = (),
        filters: Sequence[Filter] = (),
        default_sort: str = "-created_at",
        page_size: int = PAGE_SIZE,
    ) -> None:
        self.columns = columns
        self.page_size = page_size
        self.problems: list[str] = []
        self.unfiltered = queryset
        self.filters = [BoundFilter(each, self._text(params, each.name)) for each in filters]
        self.sort = self._sort(self._text(params, "sort"), default_sort)
        self._default_sort = default_sort
        self._queryset = self._ordered(self._filtered(queryset))
        self._wanted_page = self._text(params, "page")

    @staticmethod
    def _text(params: Mapping[str, Any], name: str) -> str:
        # A NUL cannot be stored, and PostgreSQL refuses to compare with one.
        return str(params.get(name) or "").replace("\0", "").strip()[:MAX_TEXT]

    def _sort(self, wanted: str, default: str) -> str:
        if not wanted:
            return default
        if any(column.sort and column.sort == wanted.removeprefix("-") for column in self.columns):
            return wanted
        self.problems.append(f"This list cannot be sorted by {wanted!r}; showing the usual order.")
        return default

    def _filtered(self, queryset: QuerySet[M]) -> QuerySet[M]:
        for bound in self.filters:
            if bound.value:
                try:
                    queryset = bound.filter.narrow(queryset, bound.value)
                except ValueError as error:
                    self.problems.append(str(error))
        return queryset

    def _ordered(self, queryset: QuerySet[M]) -> QuerySet[M]:
        name, descending = self.sort.removeprefix("-"), self.sort.startswith("-")
        fields = [self.sort]
        for column in self.columns:
            if column.sort and column.sort == name:
                fields = column.fields(descending=descending)
        # The key makes the order total, so that no row is on two pages or on none.
        return queryset.order_by(*fields, "-pk" if descending else "pk")

    @cached_property
    def total(self) -> int:
        """How many rows match."""
        return self._queryset.count()

    @property
    def pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.total // self.page_size))

    @cached_property
    def page(self) -> int:
        """The number of this page, from 1; a page beyond the last is the last."""
        text = self._wanted_page
        if not text:
            return 1
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= MAX_PAGE):
            self.problems.append(f"There is no page {text!r}; showing the first.")
            return 1
        return min(int(text[:12]), self.pages)

    @cached_property
    def rows(self) -> list[M]:
        """The rows of this page."""
        start = (self.page - 1) * self.page_size
        return list(self._queryset[start : start + self.page_size])

    @property
    def queryset(self) -> QuerySet[M]:
        """Every row that matches, in order."""
        return self._queryset

    @property
    def is_filtered(self) -> bool:
        """Whether the person narrowed the list, so that "nothing found" differs from "nothing there"."""
        return any(bound.value for bound in self.filters)

    def query(self, **changes: str) -> str:
        """The query string of this list with `changes`; an empty value leaves a parameter out."""
        values = {bound.filter.name: bound.value for bound in self.filters}
        values["sort"] = self.sort_parameter
        values |= changes
        text = urlencode({name: value for name, value in values.items() if value})
        return f"?{text}" if text else "?"

    @property
    def sort_parameter(self) -> str:
        """The value of `sort` that the filter form keeps, empty for the usual order."""
        return "" if self.sort == self._default_sort else self.sort

    @property
    def clear_query(self) -> str:
        """The query string without any filter."""
        return self.query(**{bound.filter.name: "" for bound in self.filters})

    @property
    def headings(self) -> list[Heading]:
        """The column headings with their sort addresses."""
        return [self._heading(column) for column in self.columns]

    def _heading(self, column: Column) -> Heading:
        if not column.sort:
            return Heading(column, "", "")
        direction = {column.sort: "ascending", f"-{column.sort}": "descending"}.get(self.sort, "")
        wanted = f"-{column.sort}" if direction == "ascending" else column.sort
        return Heading(column, self.query(sort=wanted), direction)

    @property
    def previous_query(self) -> str:
        """The query string of the page before, empty on the first."""
        return self.query(page=str(self.page - 1)) if self.page > 1 else ""

    @property
    def next_query(self) -> str:
        """The query string of the page after, empty on the last."""
        return self.query(page=str(self.page + 1)) if self.page < self.pages else ""

    @property
    def first_number(self) -> int:
        """The number of the first row on this page, from 1; 0 where there is none."""
        return (self.page - 1) * self.page_size + 1 if self.total else 0

    @property
    def last_number(self) -> int:
        """The number of the last row on this page."""
        return min(self.page * self.page_size, self.total)
