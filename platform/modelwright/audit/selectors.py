"""What an auditor may see and search."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import get_current_timezone, is_naive, make_aware

from modelwright.audit.models import AuditEvent
from modelwright.core.errors import ValidationFailed

EXACT_FILTERS = ("action", "actor_name", "target_kind", "target_id", "workspace_id", "project_id", "request_id")


def moment_of(text: str, field: str) -> datetime:
    """The moment that a date (its first) or an ISO 8601 time names. Raises ValidationFailed for `field`."""
    try:
        day = parse_date(text)
        moment = datetime(day.year, day.month, day.day) if day else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ValidationFailed(
            f"`{field}` is {text[:40]!r}.", remedy="Give a date such as 2026-11-26 or an ISO 8601 time.", field=field
        )
    return make_aware(moment, get_current_timezone()) if is_naive(moment) else moment


def newest_id() -> UUID | None:
    """The id of the newest event, which says whether anything was done since somebody looked. It costs one look into an
    index; of events that are written at once, the one that is seen last may be missed."""
    return AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first()


def search(filters: Mapping[str, Any]) -> QuerySet[AuditEvent]:
    """Audit rows, newest first. `filters`: EXACT_FILTERS, `q` (in names and reason), `since`, `until`.

    The caller has checked AUDIT_READ, or has bound `project_id` to a project that the person may see.
    """
    events = AuditEvent.objects.order_by("-id")
    for name in EXACT_FILTERS:
        if filters.get(name):
            events = events.filter(**{name: filters[name]})
    if text := filters.get("q"):
        events = events.filter(
            Q(target_name__icontains=text) | Q(actor_name__icontains=text) | Q(reason__icontains=text)
        )
    if since := filters.get("since"):
        events = events.filter(at__gte=moment_of(since, "since"))
    if until := filters.get("until"):
        events = events.filter(at__lt=moment_of(until, "until"))
    return events
