"""Pages: how an endpoint stands against its target, its alerts, and how many replicas it has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from models.availability import charts
from models.availability.budget import HIGHEST_TARGET, LOWEST_TARGET
from models.availability.models import AvailabilityAlert
from models.availability.selectors import Figures, alerts_of, figures, replicas_by_version
from models.availability.states import AlertState
from models.endpoints.action_views import ActionPage
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.endpoints.scaling import MOST_REPLICAS
from models.endpoints.sizing import wanted_replicas
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.listing import Column, Filter, Listing

_COLUMNS = [
    Column("Opened", "opened", "created_at"),
    Column("State", "state"),
    Column("Look", "severity"),
    Column("What happened"),
    Column("Burn rate", "burn", "long_burn", numeric=True),
    Column("Closed", "closed", "ended_at"),
]


class AvailabilityView(EndpointPage):
    """An endpoint against its target: a page, and for htmx the part of the endpoint's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "availability/availability.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show figures, charts over `?period=`, replicas, and the newest alerts."""
        endpoint = self.endpoint(request, endpoint_id)
        found = figures(endpoint)
        context: dict[str, Any] = {
            **self.may(request, endpoint.project),
            "endpoint": endpoint,
            "figures": found,
            "tiles": _tiles(found),
            "wanted": wanted_replicas(endpoint),
            "replicas": replicas_by_version(endpoint),
        }
        if request.headers.get("HX-Request") == "true":
            return render(request, "availability/_part.html", context)
        context |= _drawn(endpoint, charts.period_of(request.GET.get("period", "")))
        context["alerts"] = alerts_of(endpoint)[:10]
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Availability", "")))


class AvailabilityChartView(EndpointPage):
    """The figures of one chart."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Answer what `static/js/charts.js` draws: `?chart=` over `?period=`."""
        endpoint = self.endpoint(request, endpoint_id)
        period = charts.period_of(request.GET.get("period", ""))
        return JsonResponse(charts.chart(endpoint, request.GET.get("chart", ""), period))


class AvailabilityAlertsView(EndpointPage):
    """Every alert of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "availability/alerts.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """List them."""
        endpoint = self.endpoint(request, endpoint_id)
        filters = [
            Filter("state", "State", ("state",), choices=AlertState.choices),
            Filter("severity", "Look", ("severity",), choices=AvailabilityAlert.Severity.choices),
            Filter("since", "Since", ("created_at",), kind="date"),
        ]
        listing = Listing(alerts_of(endpoint), request.GET, columns=_COLUMNS, filters=filters, default_sort="-opened")
        address = reverse("endpoint-availability", args=[endpoint.pk])
        crumbs = endpoint_crumbs(endpoint, ("Availability", address), ("Alerts", ""))
        return self.page({"endpoint": endpoint, "listing": listing}, crumbs=crumbs)


class ReplicasForm(forms.Form):
    """How many replicas, and what is promised."""

    min_replicas = forms.IntegerField(label="Replicas at least", min_value=1, max_value=MOST_REPLICAS)
    max_replicas = forms.IntegerField(
        label="Replicas at most",
        min_value=1,
        max_value=MOST_REPLICAS,
        help_text="The same number: always so many. A larger one: their number follows the load.",
    )
    target_concurrency = forms.FloatField(
        label="Requests under way for each replica", help_text="Above so many another replica is wanted."
    )
    target_queue_ms = forms.FloatField(
        label="Wait for a replica (ms)", help_text="Above so many milliseconds another replica is wanted."
    )
    availability_target = forms.FloatField(
        label="Target (% of requests answered)",
        required=False,
        min_value=LOWEST_TARGET,
        max_value=HIGHEST_TARGET,
        help_text="Such as 99.9: then one of a thousand may fail within 30 days. Left empty, nothing is promised and "
        "nobody is alerted.",
    )
    reason = forms.CharField(label="Reason", required=False, max_length=1000, help_text="It stands in the audit log.")


class ReplicasView(ActionPage):
    """Change how many replicas an endpoint has, and its target."""

    permissions = {"GET": Permission.ENDPOINT_MANAGE, "POST": Permission.ENDPOINT_MANAGE}
    title, submit, crumb = "Replicas and target of", "Save", "Replicas"
    intro = "Of each version that takes requests so many replicas run, on as many hosts as there are."

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        values = {name: getattr(endpoint, name) for name in ReplicasForm.base_fields if name != "reason"}
        return self.show(endpoint, ReplicasForm(initial=values))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Save it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        form = ReplicasForm(request.POST)
        changed, status = self.save(
            form, lambda values: change_endpoint(endpoint, **values, acting_user=actor_of(request))
        )
        if changed is None:
            return self.show(endpoint, form, status)
        messages.success(request, "Saved. Replicas start or end within a few seconds.")
        return redirect("endpoint-availability", endpoint.pk)


def _drawn(endpoint: Endpoint, period: charts.Period) -> dict[str, Any]:
    address, figures_url = (
        reverse(name, args=[endpoint.pk]) for name in ("endpoint-availability", "endpoint-availability-chart")
    )
    names = [name for name in charts.CHARTS if name != "budget" or endpoint.availability_target is not None]
    return {
        "period": period,
        "tabs": [
            (f"Last {each.words}", f"{address}?period={each.name}", each is period) for each in charts.PERIODS.values()
        ],
        "charts": [(charts.CHARTS[name], f"{figures_url}?chart={name}&period={period.name}") for name in names],
    }


def _tiles(found: Figures) -> list[tuple[str, str, str]]:
    counts = found.counts
    answered = "—" if found.availability is None else _percent(found.availability)
    tiles = [
        ("Answered, 30 days", answered, f"{counts.answered:,} of {counts.requests:,} requests"),
        ("Target", "none" if found.target is None else f"{found.target:g} %", ""),
    ]
    if found.budget_left is not None and found.requests_left is not None:
        left = found.requests_left
        note = f"{left:,} more may fail" if left >= 0 else f"{-left:,} too many failed"
        tiles.append(("Error budget left", _percent(100 * found.budget_left) if counts.requests else "—", note))
    tiles += [
        (f"Burn rate, {_hours(burn.rule.long)}", f"{burn.long:.3g}", f"an alert from {burn.threshold:.3g}")
        for burn in found.burns
    ]
    tiles.append(
        ("Not answered, 30 days", f"{counts.lost:,}", f"{counts.refused:,} turned away, {counts.failed:,} failed")
    )
    return tiles


def _percent(value: float) -> str:
    """Never rounded up to 100: that would hide what failed."""
    shown = f"{value:.4g}"
    return f"{value:.6g} %" if float(shown) == 100 and value < 100 else f"{shown} %"


def _hours(length: Any) -> str:
    hours = int(length.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} h"
