"""The writes of this room: that somebody took audit rows, or the list of processes, away."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.audit.services import Target, record
from modelwright.compute.models import Workload
from modelwright.console import process_records
from modelwright.console.export import Export
from modelwright.core.errors import ValidationFailed
from modelwright.core.exports import FORMATS
from modelwright.core.listing import Listing


@transaction.atomic
def export(listing: Listing[AuditEvent], form: str, *, acting_user: Actor) -> Export:
    """Return the rows of `listing` as CSV or JSON lines, and record that they were taken.

    Raises ValidationFailed on another form or a wrong filter: an export never holds more than was asked for.
    """
    _checked(listing, form, acting_user)
    _taken(AuditAction.AUDIT_EXPORTED, Target("audit", "", "audit log"), listing, form, acting_user)
    return Export(listing.queryset, form)


@transaction.atomic
def export_processes(listing: Listing[Workload], form: str, *, acting_user: Actor) -> Export:
    """The same for the processes of `listing`, with what they read and wrote and without what is secret."""
    _checked(listing, form, acting_user)
    _taken(AuditAction.WORKLOADS_EXPORTED, Target("workloads", "", "list of processes"), listing, form, acting_user)
    return Export(listing.queryset, form, columns=process_records.COLUMNS, records=process_records.records)


def _checked(listing: Listing[Any], form: str, acting_user: Actor) -> None:
    require_site(acting_user.require_user(), Permission.AUDIT_READ)
    if form not in FORMATS:
        raise ValidationFailed(f"`form` is {form[:20]!r}.", remedy="Ask for csv or jsonl.", field="form")
    if listing.problems:
        raise ValidationFailed(" ".join(listing.problems), remedy="Correct the filter and export again.")


def _taken(action: AuditAction, target: Target, listing: Listing[Any], form: str, acting_user: Actor) -> None:
    filters = {bound.filter.name: bound.value for bound in listing.filters if bound.value}
    record(
        acting_user=acting_user,
        action=action,
        target=target,
        after={"form": form, "filters": filters, "rows": listing.total},
    )
