"""Pages: the auditor's console. Nothing here changes anything but by exporting."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.console import selectors, services
from modelwright.console.diff import changes
from modelwright.core.exports import streamed
from modelwright.core.pages import PlatformView


class AuditListView(PlatformView):
    """The audit log."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "console/audit.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List and filter."""
        user = person_of(request)
        context = {"listing": selectors.listing(user, request.GET), "chain": selectors.chain(user)}
        return self.page(context, crumbs=[("Audit", "")])


class AuditEventView(PlatformView):
    """One audit row."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "console/audit_event.html"

    def get(self, request: HttpRequest, event_id: UUID) -> HttpResponseBase:
        """Show it with what was changed."""
        row = selectors.event(person_of(request), event_id)
        context = {"event": row, "changes": changes(row), "seal": selectors.seal_of(row)}
        context["place"] = selectors.place_of(row)
        return self.page(context, crumbs=[("Audit", reverse("audit")), (row.action, "")])


class AuditExportView(PlatformView):
    """The audit log as a file."""

    permissions = {"GET": Permission.AUDIT_READ}

    def get(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """Stream the rows that the filters leave."""
        listing = selectors.listing(person_of(request), request.GET)
        exported = services.export(listing, form, acting_user=actor_of(request))
        return streamed(request, exported, "audit")


class AuditChainView(PlatformView):
    """The seal over the audit log."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "console/audit_chain.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show its state; recompute every link with `?verify=1`."""
        chain = selectors.chain(person_of(request), recompute=request.GET.get("verify") == "1")
        return self.page({"chain": chain}, crumbs=[("Audit", reverse("audit")), ("Seal", "")])
