"""What a search found as CSV or JSON lines, streamed; that somebody took it is in the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.http import HttpRequest, StreamingHttpResponse

from models.endpoints.models import Endpoint
from models.endpoints.services import audit, endpoint_target
from models.predictions.models import Prediction
from models.predictions.search import SCAN, Cursor, Search, columns_of, digest_on_record, find
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.core import exports
from modelwright.core.cells import cell
from modelwright.core.errors import ValidationFailed
from modelwright.core.exports import CHUNK_ROWS, FORMATS, PiecewiseExport, csv_text
from projects.selectors import authorize

MAX_ROWS = 100_000
MAX_SCANS = 200
LIMITS = f"at most {MAX_ROWS:,} predictions, found among the newest {MAX_SCANS * SCAN:,} that time and outcome leave"
_FACTS = (
    *("id", "at", "endpoint_name", "deployment_number", "model_name", "version_number", "key_name", "protocol"),
    *("served_by", "role", "fallback", "shadow_of", "status", "error", "latency_ms", "trace_id"),
)


class PredictionExport(PiecewiseExport):
    """Newest first, in pieces of text. JSON lines have a prediction each, CSV has a record of a request each, with
    `input.<column>` for each column that the endpoint's versions know, and `input` for what is no such column."""

    def __init__(self, endpoint: Endpoint, search: Search, form: str) -> None:
        super().__init__(form)
        self._endpoint = endpoint
        self._search = search
        self._columns = list(columns_of(endpoint)) if form == "csv" else []
        self._cursor: Cursor | None = None
        self._rows = self._scans = 0
        self._is_over = False

    def head(self) -> str:
        """The names of the columns, of CSV."""
        if self.form != "csv":
            return ""
        inputs = [f"input.{name}" for name in self._columns]
        return csv_text([[*_FACTS, "record", *inputs, "input", "output", "probabilities"]])

    def piece(self) -> str | None:
        """The next piece, which may be empty; None at the end."""
        if self._is_over:
            return None
        limit = min(CHUNK_ROWS, MAX_ROWS - self._rows)
        found = find(self._endpoint, self._search, cursor=self._cursor, limit=limit)
        self._rows += len(found.rows)
        self._scans += found.looked_back_to is not None
        self._cursor = found.older
        self._is_over = found.older is None or self._rows >= MAX_ROWS or self._scans >= MAX_SCANS
        if self.form == "csv":
            return csv_text([line for row in found.rows for line in self._lines(row)])
        return "".join(json.dumps(_object(row), ensure_ascii=False) + "\n" for row in found.rows)

    def _lines(self, row: Prediction) -> Iterator[list[str]]:
        facts = [cell(getattr(row, name)) for name in _FACTS]
        known = set(self._columns)
        inputs = row.inputs if isinstance(row.inputs, list) else [row.inputs]
        for number, record in enumerate(inputs):
            values = record if isinstance(record, dict) else {}
            others = {name: value for name, value in values.items() if name not in known}
            yield [
                *(*facts, str(number)),
                *(cell(values.get(name)) for name in self._columns),
                cell(others or (None if isinstance(record, dict) else record)),
                cell(_item(row.outputs, number)),
                cell(_item(row.probabilities, number)),
            ]


@transaction.atomic
def export(
    endpoint: Endpoint, search: Search, form: str, asked: dict[str, str], *, acting_user: Actor
) -> PredictionExport:
    """The export, once the audit log has who takes what of which endpoint.

    Raises ValidationFailed, PermissionRefused.
    """
    role = authorize(acting_user, Permission.PROJECT_VIEW, endpoint.project)
    if form not in FORMATS:
        raise ValidationFailed(
            f"There is no export as {form[:40]!r}.", remedy=f"Give one of {', '.join(FORMATS)}.", field="format"
        )
    audit(
        AuditAction.PREDICTIONS_EXPORTED,
        endpoint_target(endpoint),
        endpoint,
        acting_user=acting_user,
        role=role,
        after={"format": form, "search": _as_told(endpoint, search, asked), "at_most": MAX_ROWS},
    )
    return PredictionExport(endpoint, search, form)


def _as_told(endpoint: Endpoint, search: Search, asked: dict[str, str]) -> dict[str, str]:
    """What was looked for, with the digest in place of a value that is on no record either."""
    column = search.condition.column if search.condition is not None else asked.get("column", "")
    if "value" not in asked or column not in endpoint.redacted_columns:
        return asked
    value = search.condition.value if search.condition is not None else asked["value"]
    return {**asked, "value": digest_on_record(value)}


def streamed(request: HttpRequest, exported: PredictionExport, endpoint: Endpoint) -> StreamingHttpResponse:
    """The export as a file, with its limits in a header."""
    response = exports.streamed(request, exported, f"predictions-{endpoint.name}")
    response.headers["X-Modelwright-Limits"] = LIMITS
    return response


def _object(row: Prediction) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in _FACTS}
    facts |= {"id": str(row.pk), "at": row.at.isoformat()}
    return {**facts, "inputs": row.inputs, "outputs": row.outputs, "probabilities": row.probabilities}


def _item(values: Any, number: int) -> Any:
    return values[number] if isinstance(values, list) and number < len(values) else None
