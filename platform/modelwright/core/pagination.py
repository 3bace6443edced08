"""Cursor paging by time-ordered id: stable while rows are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request

from modelwright.core.errors import ValidationFailed

DEFAULT_LIMIT = 50
MAX_LIMIT = 500


def limit_of(request: Request) -> int:
    """The rows a page that the request asks for. Raises ValidationFailed."""
    raw = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (raw.isascii() and raw.isdigit()) or not 1 <= int(raw[:9]) <= MAX_LIMIT or len(raw) > 9:
        raise ValidationFailed(
            f"`limit` is {raw[:40]!r}.", remedy=f"Give a number from 1 to {MAX_LIMIT}.", field="limit"
        )
    return int(raw)


def cursor_of(request: Request) -> tuple[str, UUID] | None:
    """`before` or `after`, and an id; None for the first page. Raises ValidationFailed."""
    raw = request.query_params.get("cursor")
    if not raw:
        return None
    direction, _, value = raw.partition(":")
    try:
        if direction in ("before", "after"):
            return direction, UUID(value)
    except ValueError:
        pass
    raise ValidationFailed(
        f"`cursor` is {raw[:60]!r}, which this list never gave out.",
        remedy="Follow the `next` and `previous` addresses of the answer before.",
        field="cursor",
    )


def address_of(request: Request, cursor: str) -> str:
    """The address of the page of the same list that begins at the cursor."""
    parameters = {**request.query_params.dict(), "cursor": cursor}
    return request.build_absolute_uri(f"{request.path}?{urlencode(parameters)}")


def page(request: Request, queryset: QuerySet[Any]) -> tuple[Sequence[Any], dict[str, str | None]]:
    """Return one page of `queryset`, newest first, and its `next` and `previous` addresses.

    `before:<id>` asks for older rows, `after:<id>` for newer ones. Raises ValidationFailed on a bad limit or cursor.
    """
    limit, cursor = limit_of(request), cursor_of(request)
    if cursor and cursor[0] == "after":
        rows = list(queryset.filter(pk__gt=cursor[1]).order_by("pk")[: limit + 1])
        more_newer, more_older = len(rows) > limit, True
        rows = rows[:limit][::-1]
    else:
        if cursor:
            queryset = queryset.filter(pk__lt=cursor[1])
        rows = list(queryset.order_by("-pk")[: limit + 1])
        more_older, more_newer = len(rows) > limit, cursor is not None
        rows = rows[:limit]
    return rows, {
        "next": address_of(request, f"before:{rows[-1].pk}") if rows and more_older else None,
        "previous": address_of(request, f"after:{rows[0].pk}") if rows and more_newer else None,
    }
