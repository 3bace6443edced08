"""Pages: the charts of an endpoint's traffic."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from models.endpoints.models import Endpoint
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.predictions.rates import Rate
from models.predictions.traffic import CHARTS, PERIODS, Period, document, in_all, period_of, traffic
from modelwright.accounts.permissions import Permission


class TrafficView(EndpointPage):
    """Rate, latency and failures over a period: a page, and for htmx the part of the endpoint's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "predictions/traffic.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Draw `?period=`, an hour where it names none."""
        endpoint = self.endpoint(request, endpoint_id)
        period = period_of(request.GET.get("period", ""))
        context = {"endpoint": endpoint, "period": period, **_drawn(endpoint, period)}
        if request.headers.get("HX-Request") == "true":
            is_part = request.GET.get("part") == "tiles"
            return render(request, "components/tiles.html" if is_part else "predictions/_traffic.html", context)
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Traffic", "")))


class TrafficChartView(EndpointPage):
    """The figures of one chart."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Answer what `static/js/charts.js` draws: `?chart=` over `?period=`."""
        endpoint = self.endpoint(request, endpoint_id)
        chart = CHARTS.get(request.GET.get("chart", ""), CHARTS["rate"])
        return JsonResponse(document(chart, traffic(endpoint, period_of(request.GET.get("period", "")))))


def _drawn(endpoint: Endpoint, period: Period) -> dict[str, Any]:
    address, figures = (reverse(name, args=[endpoint.pk]) for name in ("endpoint-traffic", "endpoint-traffic-chart"))
    return {
        "tabs": [(f"Last {each.words}", f"{address}?period={each.name}", each is period) for each in PERIODS.values()],
        "tiles_url": f"{address}?period={period.name}&part=tiles",
        "tiles": _tiles(in_all(endpoint, period), in_all(endpoint, period, role="shadow")),
        "charts": [
            (f"{chart.label}, {chart.unit}", f"{figures}?chart={chart.name}&period={period.name}")
            for chart in CHARTS.values()
        ],
    }


def _tiles(rate: Rate, shadows: Rate) -> list[tuple[str, str, str]]:
    def ms(value: float | None) -> str:
        return "—" if value is None else f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"

    share = "—" if rate.error_share is None else f"{100 * rate.error_share:.2g} %"
    tiles = [
        ("Requests", f"{rate.count:,}", f"{rate.per_second:.3g} a second"),
        ("Records", f"{rate.rows:,}", ""),
        ("Failed", share, f"{rate.errors:,} by the model"),
        ("Median", ms(rate.p50_ms), ""),
        ("95th percentile", ms(rate.p95_ms), ""),
        ("99th percentile", ms(rate.p99_ms), ""),
    ]
    if rate.fallbacks:
        tiles.append(("Fallback", f"{100 * (rate.fallback_share or 0):.2g} %", f"{rate.fallbacks:,} answers"))
    if shadows.count:
        tiles.append(("Shadows asked", f"{shadows.count:,}", f"{shadows.errors:,} failed; not among the requests"))
    return tiles
