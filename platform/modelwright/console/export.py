"""Rows as CSV or JSON lines, written page by page so that a long list needs no memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from modelwright.core.cells import cell, plain
from modelwright.core.exports import CHUNK_ROWS, PiecewiseExport, csv_text

COLUMNS = (
    "id", "at", "actor_id", "actor_kind", "actor_name", "actor_role", "token_id", "action", "target_kind", "target_id",
    "target_name", "workspace_id", "project_id", "before", "after", "reason", "request_id", "address",
)  # fmt: skip


Record = Mapping[str, Any]


def audit_records(rows: Sequence[Any]) -> list[Record]:
    """Audit rows as they are exported."""
    return [{name: getattr(row, name) for name in COLUMNS} for row in rows]


class Export(PiecewiseExport):
    """Rows newest first, in pieces of text. The rows are those at the moment of `__init__`.

    `records` makes of each page of rows one mapping for each row, with a value for each of `columns`.
    """

    def __init__(
        self,
        rows: QuerySet[Any],
        form: str,
        *,
        columns: Sequence[str] = COLUMNS,
        records: Callable[[Sequence[Any]], Sequence[Record]] = audit_records,
    ) -> None:
        super().__init__(form)
        self._columns = columns
        self._records = records
        self._rows = rows.order_by("-pk")
        newest = self._rows.first()
        self._after = newest.pk if newest else None
        self._inclusive = True

    def head(self) -> str:
        """The names of the columns, of CSV."""
        return csv_text([list(self._columns)]) if self.form == "csv" else ""

    def piece(self) -> str | None:
        """The next page."""
        if self._after is None:
            return None
        bound = {"pk__lte" if self._inclusive else "pk__lt": self._after}
        rows = list(self._rows.filter(**bound)[:CHUNK_ROWS])
        self._inclusive = False
        self._after = rows[-1].pk if rows else None
        records = self._records(rows)
        if self.form == "csv":
            return csv_text([[cell(record[name]) for name in self._columns] for record in records])
        return "".join(
            json.dumps({name: plain(record[name]) for name in self._columns}, ensure_ascii=False) + "\n"
            for record in records
        )
