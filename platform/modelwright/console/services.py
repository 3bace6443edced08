"""The one write of this room: that somebody took audit rows away."""

from __future__ import annotations

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.audit.services import Target, record
from modelwright.console.export import Export
from modelwright.core.errors import ValidationFailed
from modelwright.core.listing import Listing

FORMS = ("csv", "jsonl")


@transaction.atomic
def export(listing: Listing[AuditEvent], form: str, *, acting_user: Actor) -> Export:
    """Return the rows of `listing` as CSV or JSON lines, and record that they were taken.

    Raises ValidationFailed on another form or a wrong filter: an export never holds more than was asked for.
    """
    require_site(acting_user.require_user(), Permission.AUDIT_READ)
    if form not in FORMS:
        raise ValidationFailed(f"`form` is {form[:20]!r}.", remedy="Ask for csv or jsonl.", field="form")
    if listing.problems:
        raise ValidationFailed(" ".join(listing.problems), remedy="Correct the filter and export again.")
    exported = Export(listing.queryset, form)
    filters = {bound.filter.name: bound.value for bound in listing.filters if bound.value}
    record(
        acting_user=acting_user,
        action=AuditAction.AUDIT_EXPORTED,
        target=Target("audit", "", "audit log"),
        after={"form": form, "filters": filters, "rows": listing.total},
    )
    return exported
