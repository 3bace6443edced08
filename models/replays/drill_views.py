"""Pages: drills of an endpoint, when they are due, golden requests, alerts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.endpoints.models import Endpoint
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.replays import alerts, drill_services, golden, selectors
from models.replays.alerts import open_alert
from models.replays.forms import DrillPolicyForm, PinForm
from models.replays.policies import drill_policy, set_drill_policy
from models.replays.states import DrillState
from models.replays.way_back import way_back
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.errors import PlatformError
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import Crumbs


class DrillPage(EndpointPage):
    """A page about drills of an endpoint."""

    def crumbs(self, endpoint: Endpoint, *more: tuple[str, str]) -> Crumbs:
        """The way to it."""
        return endpoint_crumbs(endpoint, ("Way back", reverse("endpoint-drills", args=[endpoint.pk])), *more)


def _proved(endpoint: Endpoint) -> dict[str, Any]:
    """The context of `replays/_proof.html`."""
    proofs = selectors.proofs(endpoint)
    return {
        "endpoint": endpoint,
        "back": way_back(endpoint),
        "proofs": proofs,
        "alert": open_alert(endpoint.pk),
        "policy": drill_policy(endpoint),
        "is_drilled": any(under_way is not None for _, _, under_way in proofs),
    }


class ProofView(DrillPage):
    """Whether and when the way back was last proved, for the endpoint's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "replays/_proof.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Answer the fragment; while a drill is under way it asks for the next one."""
        endpoint = self.endpoint(request, endpoint_id)
        return self.page({**self.may(request, endpoint.project), **_proved(endpoint)})


class DrillsView(DrillPage):
    """The drills of an endpoint; prove its way back now."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_ROLLBACK}
    template = "replays/drills.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """List them."""
        endpoint = self.endpoint(request, endpoint_id)
        columns = [
            Column("Started", "created", "created_at"),
            Column("Version", "version", ("model_version__model__name", "model_version__number")),
            Column("Outcome", "state"),
            Column("Queued (s)", numeric=True),
            Column("Start (s)", numeric=True),
            Column("Answers (s)", numeric=True),
            Column("In all (s)", numeric=True),
            Column("Golden requests", "asked", numeric=True),
            Column("By", "by", "requested_by"),
        ]
        filters = [
            Filter("q", "Model or person", ("model_version__model__name", "requested_by")),
            Filter("state", "Outcome", ("state",), DrillState.choices),
            Filter("since", "Since", ("created_at",), kind="date"),
        ]
        found = selectors.drills_of(endpoint)
        listing = Listing(found, request.GET, columns=columns, filters=filters, default_sort="-created")
        context = {**self.may(request, endpoint.project), **_proved(endpoint), "listing": listing}
        context["alerts"] = selectors.alerts_of(endpoint)[:10]
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Way back", "")))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Begin a drill of each version of the way back."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_ROLLBACK)
        try:
            made = drill_services.start_drills(endpoint, acting_user=actor_of(request))
        except PlatformError as error:
            messages.error(request, f"{error.message} {error.remedy}")
            return redirect("endpoint-drills", endpoint.pk)
        messages.success(request, "The way back is being proved.")
        return redirect("drill", made[0].pk) if len(made) == 1 else redirect("endpoint-drills", endpoint.pk)


class DrillView(DrillPage):
    """A drill."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "replays/drill.html"

    def get(self, request: HttpRequest, drill_id: UUID) -> HttpResponseBase:
        """Show it, or for htmx the part that follows it."""
        drill = selectors.get_drill(person_of(request), drill_id)
        context = {**self.may(request, drill.endpoint.project), "drill": drill, "endpoint": drill.endpoint}
        if request.headers.get("HX-Request") == "true":
            return self.page(context, template="replays/_drill_state.html")
        return self.page(context, crumbs=self.crumbs(drill.endpoint, (f"Drill of {drill.model_version}", "")))


class DrillPolicyView(DrillPage):
    """Change when the way back is proved."""

    permissions = {"GET": Permission.ENDPOINT_MANAGE, "POST": Permission.ENDPOINT_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        return self._show(endpoint, DrillPolicyForm(initial=DrillPolicyForm.shown(drill_policy(endpoint))))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Change it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        form = DrillPolicyForm(request.POST)
        done, status = self.save(form, lambda values: set_drill_policy(endpoint, values, acting_user=actor_of(request)))
        if done is None:
            return self._show(endpoint, form, status)
        messages.success(request, "Saved.")
        return redirect("endpoint-drills", endpoint.pk)

    def _show(self, endpoint: Endpoint, form: DrillPolicyForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": f"When the way back of {endpoint.name} is proved",
            "submit": "Save",
            "intro": "The version that a rollback would go back to is started, asked what it was asked before, timed, "
            "and taken away. Nothing of it reaches a client.",
            "cancel_url": reverse("endpoint-drills", args=[endpoint.pk]),
        }
        return self.page(context, crumbs=self.crumbs(endpoint, ("Settings", "")), status=status)


class GoldenRequestsView(DrillPage):
    """What is asked in each drill because a person wants it."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_DEPLOY}
    template = "replays/golden_requests.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """List them; `?prediction=` fills the form."""
        endpoint = self.endpoint(request, endpoint_id)
        return self._show(request, endpoint, PinForm(initial={"prediction_id": request.GET.get("prediction", "")[:36]}))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Pin one more."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        form = PinForm(request.POST)
        made, status = self.save(form, lambda values: golden.pin(endpoint, **values, acting_user=actor_of(request)))
        if made is None:
            return self._show(request, endpoint, form, status)
        messages.success(request, "It is asked in each drill of its version from now on.")
        return redirect("golden-requests", endpoint.pk)

    def _show(self, request: HttpRequest, endpoint: Endpoint, form: PinForm, status: int = 200) -> HttpResponse:
        columns = [
            Column("Prediction"),
            Column("Version", "version", ("model_version__model__name", "model_version__number")),
            Column("Why", "note"),
            Column("Pinned", "created", "created_at"),
            Column("Actions", hidden_label=True),
        ]
        filters = [Filter("q", "Why, model or person", ("note", "model_version__model__name", "pinned_by"))]
        found = selectors.pinned_of(endpoint)
        listing = Listing(found, request.GET, columns=columns, filters=filters, default_sort="-created")
        context = {**self.may(request, endpoint.project), "endpoint": endpoint, "listing": listing, "form": form}
        return self.page(context, crumbs=self.crumbs(endpoint, ("Golden requests", "")), status=status)


class UnpinView(DrillPage):
    """Take a golden request out."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    def post(self, request: HttpRequest, golden_id: UUID) -> HttpResponseBase:
        """Do it."""
        found = selectors.get_pinned(person_of(request), golden_id, Permission.ENDPOINT_DEPLOY)
        golden.unpin(found, acting_user=actor_of(request))
        messages.success(request, "It is not asked any more.")
        return redirect("golden-requests", found.endpoint_id)


class AcknowledgeView(DrillPage):
    """Say that one has seen an alert."""

    permissions = {"POST": Permission.ENDPOINT_ROLLBACK}

    def post(self, request: HttpRequest, drill_alert_id: UUID) -> HttpResponseBase:
        """Note it."""
        alert = selectors.get_alert(person_of(request), drill_alert_id, Permission.ENDPOINT_ROLLBACK)
        alerts.acknowledge(alert, acting_user=actor_of(request))
        messages.success(request, "Noted. The alert ends once a drill passes.")
        return redirect("endpoint-drills", alert.endpoint_id)
