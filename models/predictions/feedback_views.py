"""Pages: what was said of an endpoint's answers, and a table of truth to upload."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.endpoints.models import Endpoint
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.predictions.feedback_forms import TableForm
from models.predictions.feedback_selectors import coverage, feedback_of
from models.predictions.feedback_services import by_endpoint, give
from models.predictions.feedback_table import MAX_BYTES, read_table
from models.predictions.models import Feedback
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import FieldError, PlatformError
from modelwright.core.forms import show_problem
from modelwright.core.listing import Column, Filter, Listing

PERIODS = (1, 7, 30)
_MATCHED = [("true", "on record"), ("false", "not on record"), ("none", "response of its own")]
_COLUMNS = [
    Column("Prediction"),
    Column("Record", "record", numeric=True),
    Column("Truth"),
    Column("Happened", "happened", ("happened_at",)),
    Column("Known", "known", ("known_at",)),
    Column("Said by", "by", ("created_by",)),
    Column("Counts"),
]


class FeedbackView(EndpointPage):
    """What was said to be true of an endpoint's answers, and of what share of them."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "predictions/feedback.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """List it."""
        endpoint = self.endpoint(request, endpoint_id)
        filters = [
            Filter("matched", "Prediction", choices=_MATCHED, apply=_by_match),
            Filter("source", "Said by", ("source",), choices=Feedback.Source.choices),
            Filter("known", "Known since", ("known_at",), kind="date"),
            Filter("happened", "Happened since", ("happened_at",), kind="date"),
        ]
        found = feedback_of(endpoint)
        listing = Listing(found, request.GET, columns=_COLUMNS, filters=filters, default_sort="-id")
        context = {"endpoint": endpoint, "listing": listing, **self.may(request, endpoint.project)}
        context["tiles"] = [_tile(endpoint, days) for days in PERIODS]
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Feedback", "")))


class FeedbackUploadView(EndpointPage):
    """A table of truth."""

    permissions = {"GET": Permission.PREDICT, "POST": Permission.PREDICT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form."""
        return self._show(self.endpoint(request, endpoint_id, Permission.PREDICT), TableForm())

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Store all of it, or nothing and say what is wrong with which row."""
        endpoint = self.endpoint(request, endpoint_id, Permission.PREDICT)
        form = TableForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._show(endpoint, form, 422)
        try:
            placed = read_table(endpoint, form.cleaned_data["file"].read(MAX_BYTES + 1))
            given = give(by_endpoint(endpoint), placed, acting_user=actor_of(request))
        except PlatformError as error:
            show_problem(form, _by_row(error))
            return self._show(endpoint, form, error.status)
        said = f"The truth of {len(given.rows)} rows is on record."
        messages.success(
            request, f"{said} {given.unmatched} name predictions that are not." if given.unmatched else said
        )
        return redirect("endpoint-feedback", endpoint.pk)

    def _show(self, endpoint: Endpoint, form: TableForm, status: int = 200) -> HttpResponse:
        back = reverse("endpoint-feedback", args=[endpoint.pk])
        context = {
            "form": form,
            "title": f"Truth for {endpoint.name}",
            "submit": "Store truth",
            "intro": "All rows are stored, or none, and then each row that is wrong is named.",
            "cancel_url": back,
        }
        crumbs = endpoint_crumbs(endpoint, ("Feedback", back), ("Upload", ""))
        return self.page(context, crumbs=crumbs, status=status)


def _tile(endpoint: Endpoint, days: int) -> tuple[str, str, str]:
    found = coverage(endpoint, days=days)
    label = "Truth known, last day" if days == 1 else f"Truth known, last {days} days"
    value = "—" if found.percent is None else f"{found.percent:.1f} %"
    note = f"{found.with_truth} of {found.records} records" if found.records else "nothing was answered"
    return label, value, note


def _by_match(found: QuerySet[Feedback], value: str) -> QuerySet[Feedback]:
    if value == "none":
        return found.filter(prediction_id=None)
    return found.filter(Q(matched=value == "true")).exclude(prediction_id=None)


def _by_row(error: PlatformError) -> PlatformError:
    """The same error, each row's place in front of what is wrong with it: a form has one field for all of them."""
    told = tuple(
        one if one.field == "file" else FieldError("file", f"{one.field}: {one.message}", one.remedy)
        for one in error.errors
    )
    return type(error)(error.message, remedy=error.remedy, errors=told)
