"""Pages: find predictions of an endpoint, and take what was found away."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponseBase

from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.predictions.exporting import LIMITS, export, streamed
from models.predictions.search import SCAN
from models.predictions.search_listing import SearchListing
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission


class PredictionsView(EndpointPage):
    """The predictions of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "predictions/predictions.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """List those that are looked for."""
        endpoint = self.endpoint(request, endpoint_id)
        listing = SearchListing(endpoint, request.GET)
        context = {
            "endpoint": endpoint,
            "listing": listing,
            "rows": listing.found.rows,
            "scan": SCAN,
            "export_limits": LIMITS,
            "csv_query": listing.query(format="csv"),
            "jsonl_query": listing.query(format="jsonl"),
        }
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Predictions", "")))


class PredictionsExportView(EndpointPage):
    """What was found, as a file."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Stream it; `?format=` is csv or jsonl, the rest is as on the page."""
        endpoint = self.endpoint(request, endpoint_id)
        listing = SearchListing(endpoint, request.GET)
        form = request.GET.get("format", "csv")
        asked = {bound.filter.name: bound.value for bound in listing.filters if bound.value}
        return streamed(request, export(endpoint, listing.search, form, asked, acting_user=actor_of(request)), endpoint)
