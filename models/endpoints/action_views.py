"""Pages: deploy, roll back, stop, keys, try."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from models.endpoints import selectors, services
from models.endpoints.awaiting import can_wait, wait_until_live
from models.endpoints.estimating import estimates
from models.endpoints.forms import DeployForm, KeyForm, RollbackForm, StopForm
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.pages import EndpointPage, address_of, endpoint_crumbs
from models.endpoints.taking import Taken, taken_by
from models.endpoints.try_forms import TryForm
from models.endpoints.trying import try_predict
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import Conflict, PlatformError


class ActionPage(EndpointPage):
    """A form that asks for something of one endpoint."""

    template = "components/form_page.html"
    title = ""
    submit = ""
    # Where in the site it is, for the way to it; `submit` where that says it.
    crumb = ""
    intro = ""
    danger = False

    def show(self, endpoint: Endpoint, form: forms.Form, status: int = 200) -> HttpResponse:
        """Show the form."""
        context = {
            "form": form,
            "title": f"{self.title} {endpoint.name}",
            "submit": self.submit,
            "intro": self.intro,
            "danger": self.danger,
            "cancel_url": reverse("endpoint", args=[endpoint.pk]),
            **self.facts(),
        }
        return self.page(context, crumbs=endpoint_crumbs(endpoint, (self.crumb or self.submit, "")), status=status)

    def facts(self) -> dict[str, Any]:
        """What the page shows besides the form."""
        return {}


class DeployView(ActionPage):
    """Ask for a version to be served."""

    permissions = {"GET": Permission.ENDPOINT_DEPLOY, "POST": Permission.ENDPOINT_DEPLOY}
    title, submit = "Deploy to", "Deploy"
    intro = "What serves now goes on until the new version answers. Then requests go to the new one, and none is lost."

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form; `?version=` chooses one."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        initial = {"model_version": request.GET.get("version", "")[:36]}
        return self.show(endpoint, self._form(endpoint, initial=initial))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Ask for it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        form = self._form(endpoint, request.POST)

        def write(values: dict[str, Any]) -> object:
            version = selectors.deployable_versions(endpoint).get(pk=values["model_version"])
            reason = values["reason"]
            return services.deploy(endpoint, model_version=version, reason=reason, acting_user=actor_of(request))

        made, status = self.save(form, write)
        if made is None:
            return self.show(endpoint, form, status)
        messages.success(request, "The deployment is under way.")
        return redirect("endpoint", endpoint.pk)

    @staticmethod
    def _form(endpoint: Endpoint, *args: Any, **kwargs: Any) -> DeployForm:
        versions = list(selectors.deployable_versions(endpoint)[:200])
        if not versions:
            raise Conflict(
                "The project has no version that is ready to be deployed.",
                remedy="Register a model from a run and wait until it is ready.",
            )
        return DeployForm(endpoint, versions, *args, **kwargs)


class RollbackView(ActionPage):
    """Go back to what was served before."""

    permissions = {"GET": Permission.ENDPOINT_ROLLBACK, "POST": Permission.ENDPOINT_ROLLBACK}
    title, submit, danger = "Roll back", "Roll back", True
    intro = "A rollback is a new deployment that repeats an earlier one. What serves now goes on until that answers."
    template = "endpoints/rollback.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form; `?deployment=` chooses one."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_ROLLBACK)
        default = selectors.default_rollback(endpoint)
        initial = {"deployment": request.GET.get("deployment", "")[:36] or (str(default.pk) if default else "")}
        return self.show(endpoint, self._form(endpoint, initial=initial))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Ask for it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_ROLLBACK)
        form = self._form(endpoint, request.POST)

        def write(values: dict[str, Any]) -> Deployment:
            to = selectors.get_deployment(endpoint, UUID(values["deployment"]))
            emergency, reason = values["emergency"], values["reason"]
            return services.rollback(
                endpoint,
                to=to,
                reason=reason,
                is_emergency=emergency,
                is_awaited=can_wait(),
                acting_user=actor_of(request),
            )

        made, status = self.save(form, write)
        if made is None:
            return self.show(endpoint, form, status)
        done = wait_until_live(made)
        messages.success(request, "It is rolled back." if done else "The rollback is under way.")
        return redirect("endpoint", endpoint.pk)

    def facts(self) -> dict[str, Any]:
        """How long each choice takes."""
        return {"estimates": self.estimates}

    def _form(self, endpoint: Endpoint, *args: Any, **kwargs: Any) -> RollbackForm:
        choices = selectors.rollback_choices(endpoint)
        if not choices:
            raise Conflict(f"{endpoint.name} has served nothing else before.", remedy="Deploy another version instead.")
        self.estimates = estimates(endpoint, choices)
        return RollbackForm(self.estimates, *args, **kwargs)


class StopView(ActionPage):
    """Serve nothing any more."""

    permissions = {"GET": Permission.ENDPOINT_MANAGE, "POST": Permission.ENDPOINT_MANAGE}
    title, submit, danger = "Stop", "Stop endpoint", True
    intro = "Requests will be refused and the replicas end. The next deployment serves again."

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Ask whether to."""
        return self.show(self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE), StopForm())

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Stop it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        form = StopForm(request.POST)
        stopped, status = self.save(
            form, lambda values: services.stop(endpoint, **values, acting_user=actor_of(request))
        )
        if stopped is None:
            return self.show(endpoint, form, status)
        messages.success(request, f"{endpoint.name} is stopped.")
        return redirect("endpoint", endpoint.pk)


@method_decorator(never_cache, name="dispatch")
class KeyCreateView(ActionPage):
    """Make a key for a client."""

    permissions = {"GET": Permission.ENDPOINT_MANAGE, "POST": Permission.ENDPOINT_MANAGE}
    title, submit = "Key for", "Make key"
    intro = "A client sends it with each request. It predicts with this endpoint and can do nothing else."

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form."""
        return self.show(self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE), KeyForm())

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Make it and show its text, this once."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        form = KeyForm(request.POST)
        made, status = self.save(
            form, lambda values: services.create_key(endpoint, **values, acting_user=actor_of(request))
        )
        if made is None:
            return self.show(endpoint, form, status)
        key, text = made
        context = {"endpoint": endpoint, "key": key, "text": text, "address": address_of(endpoint)}
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Key", "")), template="endpoints/key_made.html")


class KeyRevokeView(EndpointPage):
    """Make a key useless."""

    permissions = {"GET": Permission.ENDPOINT_MANAGE, "POST": Permission.ENDPOINT_MANAGE}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, endpoint_id: UUID, key_id: UUID) -> HttpResponseBase:
        """Ask whether to: the clients that have it are refused at once, and there is no way back."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        key = selectors.get_key(endpoint, key_id)
        context = {
            "title": f"Revoke the key “{key.name}”",
            "explanation": f"Clients that ask {endpoint.path} with this key are refused from then on. "
            "This cannot be undone.",
            "consequences": ("Other keys of the endpoint go on.", "Give these clients another key first."),
            "submit": "Revoke key",
            "cancel_url": reverse("endpoint", args=[endpoint.pk]),
            "danger": True,
        }
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Revoke key", "")))

    def post(self, request: HttpRequest, endpoint_id: UUID, key_id: UUID) -> HttpResponseBase:
        """Revoke it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        key = selectors.get_key(endpoint, key_id)
        services.revoke_key(key, acting_user=actor_of(request))
        messages.success(request, f"The key {key.name} is revoked.")
        return redirect("endpoint", endpoint.pk)


class TryView(EndpointPage):
    """Ask an endpoint for a prediction by hand."""

    permissions = {"GET": Permission.PREDICT, "POST": Permission.PREDICT}
    template = "endpoints/try.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form, filled with the version's example."""
        endpoint = self.endpoint(request, endpoint_id, Permission.PREDICT)
        taken = _taken(endpoint)
        return self._show(endpoint, taken, TryForm(taken))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Ask, and show the answer beside the form."""
        endpoint = self.endpoint(request, endpoint_id, Permission.PREDICT)
        taken = _taken(endpoint)
        form = TryForm(taken, request.POST)
        if not form.is_valid():
            return self._show(endpoint, taken, form, status=422)
        try:
            answer = try_predict(endpoint, records=form.cleaned_data["asked"], acting_user=actor_of(request))
        except PlatformError as error:
            form.explain(error)
            return self._show(endpoint, taken, form, status=error.status)
        return self._show(endpoint, taken, form, answer=answer)

    def _show(
        self,
        endpoint: Endpoint,
        taken: Taken,
        form: TryForm,
        *,
        answer: dict[str, Any] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        context = {"endpoint": endpoint, "taken": taken, "form": form, "answer": answer}
        context["predictions"] = _predictions(answer) if answer else []
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Try it", "")), status=status)


def _taken(endpoint: Endpoint) -> Taken:
    live = selectors.live_deployment(endpoint)
    taken = taken_by(live) if live else None
    if taken is None:
        raise Conflict(f"{endpoint.name} serves nothing yet.", remedy="Deploy a version and wait until it is live.")
    return taken


def _predictions(answer: dict[str, Any]) -> list[dict[str, Any]]:
    classes, probabilities = answer.get("classes"), answer.get("probabilities")
    found = []
    for index, value in enumerate(answer.get("predictions", [])):
        row: dict[str, Any] = {"value": value, "probabilities": []}
        if isinstance(probabilities, list) and index < len(probabilities):
            row["probabilities"] = _named(classes, probabilities[index])
        found.append(row)
    return found


def _named(classes: Any, values: Any) -> list[tuple[str, Any]]:
    if isinstance(values, dict):
        return [(str(name), value) for name, value in values.items()]
    if isinstance(values, list):
        names = classes if isinstance(classes, list) and len(classes) == len(values) else range(len(values))
        return [(str(name), value) for name, value in zip(names, values, strict=True)]
    return []
