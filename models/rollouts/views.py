"""Pages: the rollouts of an endpoint, one of them, and what may be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.endpoints.models import Endpoint
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.endpoints.selectors import deployable_versions
from models.rollouts import selectors, services
from models.rollouts.comparing import compare
from models.rollouts.forms import ReasonForm, RolloutForm, usual_words
from models.rollouts.models import Rollout
from models.rollouts.pages import RolloutPage, rollout_crumbs
from models.rollouts.states import RolloutState
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import Conflict, PlatformError
from modelwright.core.listing import Column, Filter, Listing

_COLUMNS = [
    Column("Rollout", "number", numeric=True),
    Column("State", "state"),
    Column("Version", "version", ("model_version__model__name", "model_version__number")),
    Column("Strategy", "strategy"),
    Column("Step"),
    Column("Asked for by", "actor", ("actor_name",)),
    Column("Began", "created", "created_at"),
]
_FILTERS = [
    Filter("q", "Version, person or reason", ("model_version__model__name", "actor_name", "reason", "detail")),
    Filter("state", "State", ("state",), RolloutState.choices),
    Filter("strategy", "Strategy", ("strategy",), Rollout.Strategy.choices),
    Filter("since", "Since", ("created_at",), kind="date"),
]


class RolloutsView(EndpointPage):
    """The rollouts of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "rollouts/rollouts.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """List them."""
        endpoint = self.endpoint(request, endpoint_id)
        found = selectors.rollouts_of(endpoint)
        listing = Listing(found, request.GET, columns=_COLUMNS, filters=_FILTERS, default_sort="-number")
        context = {**self.may(request, endpoint.project), "endpoint": endpoint, "listing": listing}
        context["open"] = selectors.open_rollout(endpoint)
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Rollouts", "")))


class CurrentRolloutView(RolloutPage):
    """The rollout that is under way, for the endpoint's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "rollouts/_current.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Answer the fragment."""
        endpoint = self.endpoint(request, endpoint_id)
        rollout = selectors.open_rollout(endpoint) or selectors.rollouts_of(endpoint).first()
        context = {**self.may(request, endpoint.project), "endpoint": endpoint}
        return self.page({**context, **(self.standing(rollout) if rollout else {})})


class RolloutStartView(EndpointPage):
    """Begin a rollout."""

    permissions = {"GET": Permission.ENDPOINT_DEPLOY, "POST": Permission.ENDPOINT_DEPLOY}
    template = "rollouts/start.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form; `?version=` and `?strategy=` choose."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        initial = {name: request.GET.get(given, "")[:36] for name, given in _GIVEN.items() if given in request.GET}
        return self._show(endpoint, self._form(endpoint, initial=initial))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Begin it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        form = self._form(endpoint, request.POST)

        def write(values: dict[str, Any]) -> Rollout:
            version = deployable_versions(endpoint).get(pk=values["model_version"])
            wanted = services.RolloutRequest(
                version, values["strategy"], values["steps"], form.conditions(), form.assign(), values["reason"]
            )
            return services.start(endpoint, wanted, acting_user=actor_of(request))

        made, status = self.save(form, write)
        if made is None:
            return self._show(endpoint, form, status)
        messages.success(request, "The rollout is under way.")
        return redirect("rollout", made.pk)

    @staticmethod
    def _form(endpoint: Endpoint, *args: Any, **kwargs: Any) -> RolloutForm:
        versions = list(deployable_versions(endpoint)[:200])
        if not versions:
            raise Conflict(
                "The project has no version that is ready to be rolled out.",
                remedy="Register a model from a run and wait until it is ready.",
            )
        return RolloutForm(endpoint, versions, *args, **kwargs)

    def _show(self, endpoint: Endpoint, form: RolloutForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "endpoint": endpoint, "usual": usual_words()}
        section = ("Rollouts", reverse("endpoint-rollouts", args=[endpoint.pk]))
        return self.page(context, crumbs=endpoint_crumbs(endpoint, section, ("New rollout", "")), status=status)


_GIVEN = {"model_version": "version", "strategy": "strategy"}


class RolloutView(RolloutPage):
    """A rollout: where it stands, on what it decided, what happened."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "rollouts/rollout.html"

    def get(self, request: HttpRequest, rollout_id: UUID) -> HttpResponseBase:
        """Show it."""
        rollout = self.rollout(request, rollout_id)
        context = {**self.may(request, rollout.endpoint.project), **self.standing(rollout)}
        context |= {"events": selectors.events_of(rollout)[:100], "conditions": rollout.conditions}
        return self.page(context, crumbs=rollout_crumbs(rollout))


class RolloutStateView(RolloutPage):
    """The live part of a rollout's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "rollouts/_state.html"

    def get(self, request: HttpRequest, rollout_id: UUID) -> HttpResponseBase:
        """Answer the fragment; the last one, once it is over, asks for no other."""
        rollout = self.rollout(request, rollout_id)
        context = {**self.may(request, rollout.endpoint.project), **self.standing(rollout)}
        return self.page({**context, "events": selectors.events_of(rollout)[:100]})


class RolloutComparisonView(RolloutPage):
    """Both versions side by side, a part of the rollout's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "rollouts/_comparison.html"

    def get(self, request: HttpRequest, rollout_id: UUID) -> HttpResponseBase:
        """Answer the fragment."""
        rollout = self.rollout(request, rollout_id)
        return self.page({"rollout": rollout, "compared": compare(rollout)})


class _PressView(RolloutPage):
    """A button on the rollout's page."""

    done = ""
    write: Callable[..., Rollout]

    def post(self, request: HttpRequest, rollout_id: UUID) -> HttpResponseBase:
        """Do it; a refusal stands at the top of the rollout's page."""
        rollout = self.rollout(request, rollout_id, Permission.ENDPOINT_DEPLOY)
        try:
            type(self).write(rollout, acting_user=actor_of(request))
        except PlatformError as error:
            messages.error(request, f"{error.message} {error.remedy}".strip())
        else:
            messages.success(request, self.done)
        return redirect("rollout", rollout.pk)


class RolloutPauseView(_PressView):
    """Keep the weights."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}
    done = "Paused: the weights stay as they are, and its conditions hold on."
    write = staticmethod(services.pause)


class RolloutResumeView(_PressView):
    """Go on."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}
    done = "It goes on."
    write = staticmethod(services.resume)


class _ReasonView(RolloutPage):
    """A write that needs a reason."""

    template = "components/confirm_page.html"
    permission = Permission.ENDPOINT_DEPLOY
    title = submit = explanation = done = ""
    danger = False
    write: Callable[..., Rollout]

    def get(self, request: HttpRequest, rollout_id: UUID) -> HttpResponseBase:
        """Ask for the reason."""
        return self._show(self.rollout(request, rollout_id, self.permission), ReasonForm())

    def post(self, request: HttpRequest, rollout_id: UUID) -> HttpResponseBase:
        """Do it."""
        rollout = self.rollout(request, rollout_id, self.permission)
        form = ReasonForm(request.POST)
        changed, status = self.save(
            form, lambda values: type(self).write(rollout, reason=values["reason"], acting_user=actor_of(request))
        )
        if changed is None:
            return self._show(rollout, form, status)
        messages.success(request, self.done)
        return redirect("rollout", rollout.pk)

    def _show(self, rollout: Rollout, form: ReasonForm, status: int = 200) -> HttpResponse:
        context = {"title": self.title, "submit": self.submit, "explanation": self.explanation, "danger": self.danger}
        context |= {"form": form, "cancel_url": reverse("rollout", args=[rollout.pk])}
        return self.page(context, crumbs=rollout_crumbs(rollout, (self.submit, "")), status=status)


class RolloutAdvanceView(_ReasonView):
    """Take the next step now."""

    permissions = {"GET": Permission.ENDPOINT_DEPLOY, "POST": Permission.ENDPOINT_DEPLOY}
    title = submit = "Take the next step now"
    explanation = "What is left of this step is passed over, and so are conditions that still wait for requests."
    done = "The next step is under way."
    write = staticmethod(services.advance)


class RolloutStopView(_ReasonView):
    """Stop it."""

    permissions = {"GET": Permission.ENDPOINT_ROLLBACK, "POST": Permission.ENDPOINT_ROLLBACK}
    permission = Permission.ENDPOINT_ROLLBACK
    title = submit = "Stop the rollout"
    explanation = "What served before it serves again at once, by a rollback. No request is lost."
    done = "The rollout is stopped; what served before it serves again."
    danger = True
    write = staticmethod(services.stop)
