"""Pages: who is answered by which version, and what answers when the model fails."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from models.endpoints import selectors
from models.endpoints.action_views import ActionPage
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.routing_forms import RoutingForm
from models.endpoints.steering import rule_of, steer, steered
from models.gateway.fallbacks import RULE, VERSION
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import ValidationFailed

DEPLOY = Permission.ENDPOINT_DEPLOY
# Which field of the form holds what a service calls otherwise.
_FIELDS = {"routing": "assign_name", "model_version": "stand_in"}


class RoutingView(ActionPage):
    """Change routing, pins and fallback of what serves."""

    permissions = {"GET": DEPLOY, "POST": DEPLOY}
    title, submit, crumb = "Routing of", "Deploy with this routing", "Routing"
    intro = (
        "The versions stay; a new deployment has them answer in this way, and a rollback goes back. The next plain "
        "deployment has no routing, and the fallback that modelwright.yaml declares."
    )

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show what holds now."""
        endpoint = self.endpoint(request, endpoint_id, DEPLOY)
        base = steered(endpoint)
        return self.show(endpoint, _form(endpoint, base, initial=RoutingForm.values_of(base)))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Ask for it."""
        endpoint = self.endpoint(request, endpoint_id, DEPLOY)
        form = _form(endpoint, steered(endpoint), request.POST)

        def write(values: dict[str, Any]) -> Deployment:
            fallback: dict[str, Any] | None = {"kind": VERSION} if values["fallback"] == VERSION else None
            if values["fallback"] == RULE:
                fallback = rule_of(values["rule"])
            chosen = values["stand_in"] if values["fallback"] == VERSION else ""
            stand_in = selectors.deployable_versions(endpoint).get(pk=chosen) if chosen else None
            try:
                return steer(
                    endpoint,
                    seen=values["seen"],
                    routing=form.routing(),
                    fallback=fallback,
                    stand_in=stand_in,
                    reason=values["reason"],
                    acting_user=actor_of(request),
                )
            except ValidationFailed as error:
                raise _placed(error, values["fallback"]) from None

        made, status = self.save(form, write)
        if made is None:
            return self.show(endpoint, form, status)
        messages.success(request, f"Deployment {made.number} with the new routing is under way.")
        return redirect("endpoint", endpoint.pk)


def _form(endpoint: Endpoint, base: Deployment, *args: Any, **kwargs: Any) -> RoutingForm:
    keys = list(selectors.keys_of(endpoint).filter(revoked_at=None)[:50])
    return RoutingForm(base, keys, selectors.deployable_versions(endpoint)[:200], *args, **kwargs)


def _placed(error: ValidationFailed, fallback: str) -> ValidationFailed:
    """The error beside the field of this form that it is about."""
    field = error.errors[0].field if len(error.errors) == 1 else ""
    if field == "fallback" and fallback == RULE:
        field = "rule"
    return ValidationFailed(error.message, remedy=error.remedy, field=_FIELDS.get(field, field) or None)
