"""Pages: what workloads used, and what an hour costs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.accounts.views import person_of
from modelwright.compute import services
from modelwright.compute.metering import rates
from modelwright.console.usage import MEASURES, Answer, Question, answer, ask, chart
from modelwright.console.usage_names import GROUPINGS
from modelwright.console.usage_table import UsageTable
from modelwright.core.api import SIGNED_IN
from modelwright.core.cells import cell
from modelwright.core.errors import ValidationFailed
from modelwright.core.pages import PlatformView
from workspaces.models import Workspace
from workspaces.pages import FormView, Tabs, workspace_tabs
from workspaces.selectors import visible_workspaces, workspace_permissions

MAX_CHOICES = 200


class UsageView(PlatformView):
    """Who used how much."""

    permissions = {"GET": SIGNED_IN}
    template = "console/usage.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the answer; what is wrong with the question is said, and the usual one answered instead."""
        viewer, problem = person_of(request), ""
        try:
            question = ask(viewer, request.GET)
        except ValidationFailed as error:
            question, problem = ask(viewer, {}), f"{error.message} {error.remedy}"
        found = answer(viewer, question)
        measure = request.GET.get("measure", "cpu")
        table = UsageTable(found, {} if problem else request.GET)
        context = {
            "answer": found,
            "question": question,
            "table": table,
            "problem": problem,
            "tiles": _tiles(found),
            "groupings": [(name, grouping.label) for name, grouping in GROUPINGS.items()],
            "workspaces": visible_workspaces(viewer)[:MAX_CHOICES],
            "measures": [(name, label) for name, (label, _) in MEASURES.items()],
            "measure": measure if measure in MEASURES else "cpu",
            "presets": _presets(table),
            "tabs": _tabs(viewer, question.workspace),
        }
        return self.page(context, crumbs=[("Usage", "")])


def _tabs(viewer: User, workspace: Workspace | None) -> Tabs:
    return workspace_tabs(workspace, "usage", workspace_permissions(viewer, workspace)) if workspace else []


class UsageChartView(PlatformView):
    """The figures of the chart."""

    permissions = {"GET": SIGNED_IN}

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Answer what `static/js/charts.js` draws."""
        viewer = person_of(request)
        return JsonResponse(chart(viewer, ask(viewer, request.GET), request.GET.get("measure") or "cpu"))


class UsageExportView(PlatformView):
    """The answer as a file."""

    permissions = {"GET": SIGNED_IN}

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Answer it as CSV."""
        viewer = person_of(request)
        found = answer(viewer, ask(viewer, request.GET))
        response = HttpResponse(_csv(found), content_type="text/csv; charset=utf-8")
        name = f"modelwright-usage-{found.question.by}-{found.question.period.since:%Y%m%d}.csv"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        response.headers["Cache-Control"] = "no-store"
        return response


class RatesForm(forms.Form):
    """What an hour costs."""

    currency = forms.CharField(max_length=8, initial="EUR", help_text="Such as EUR.")
    cpu_hour = forms.DecimalField(label="An hour of a CPU", max_digits=12, decimal_places=6, initial=Decimal(0))
    gib_hour = forms.DecimalField(
        label="An hour of a GiB of memory", max_digits=12, decimal_places=6, initial=Decimal(0)
    )
    gpu_hour = forms.DecimalField(label="An hour of a GPU", max_digits=12, decimal_places=6, initial=Decimal(0))


class UsageRatesView(FormView):
    """Set what an hour costs."""

    permissions = {"GET": Permission.SITE_MANAGE, "POST": Permission.SITE_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form."""
        require_site(person_of(request), Permission.SITE_MANAGE)
        now = rates()
        initial = {name: getattr(now, name) for name in RatesForm.base_fields} if now else None
        return self._show(RatesForm(initial=initial))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Set them."""
        require_site(person_of(request), Permission.SITE_MANAGE)
        form = RatesForm(request.POST)
        made, status = self.save(form, lambda values: services.set_rates(**values, acting_user=actor_of(request)))
        if made is None:
            return self._show(form, status)
        messages.success(request, "The prices are set.")
        return redirect("usage")

    def _show(self, form: forms.Form, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": "Prices of an hour",
            "intro": "Costs are shown at these prices, in past periods too. All zero: no costs are shown.",
            "submit": "Set prices",
            "cancel_url": reverse("usage"),
        }
        return self.page(context, crumbs=[("Usage", reverse("usage")), ("Prices", "")], status=status)


def _tiles(found: Answer) -> list[tuple[str, str]]:
    used = found.total.usage
    tiles = [
        ("CPU-hours", f"{used.cpu_hours:,.2f}"),
        ("Memory, GiB-hours", f"{used.gib_hours:,.2f}"),
        ("GPU-hours", f"{used.gpu_hours:,.2f}"),
        ("Workloads", f"{used.workloads:,}"),
    ]
    if found.rates and found.total.cost is not None:
        tiles.append((f"Cost in {found.rates.currency}", f"{found.total.cost:,.2f}"))
    return tiles


def _presets(table: UsageTable) -> list[tuple[str, str]]:
    today = datetime.now(UTC).date()
    month, tomorrow = today.replace(day=1), today + timedelta(days=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    periods = [
        ("Today", today, tomorrow),
        ("Last 7 days", today - timedelta(days=6), tomorrow),
        ("This month", month, tomorrow),
        ("Last month", last_month, month),
        ("This year", today.replace(month=1, day=1), tomorrow),
    ]
    return [(label, table.query(since=str(since), until=str(until))) for label, since, until in periods]


def _csv(found: Answer) -> str:
    question: Question = found.question
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(
        [
            "since",
            "until",
            "by",
            "key",
            "name",
            "cpu_hours",
            "gib_hours",
            "gpu_hours",
            "hours",
            "workloads",
            "cost",
            "currency",
        ]
    )
    since, until = question.period.since.isoformat(), question.period.until.isoformat()
    for row in found.rows:
        used = row.usage
        figures: list[Any] = [f"{value:.6f}" for value in (used.cpu_hours, used.gib_hours, used.gpu_hours, used.hours)]
        price = ["" if row.cost is None else f"{row.cost:.6f}", found.rates.currency if found.rates else ""]
        names = [cell(row.key), cell(row.name.label)]
        writer.writerow([since, until, question.by, *names, *figures, used.workloads, *price])
    return buffer.getvalue()
