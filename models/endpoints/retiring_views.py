"""Pages: retire an endpoint, copy a deployment for testing."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from models.endpoints import selectors
from models.endpoints.action_views import ActionPage
from models.endpoints.copying import copy_for_testing
from models.endpoints.forms import StopForm
from models.endpoints.pages import EndpointPage
from models.endpoints.retiring import Held, held_for, retire
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.looks import size


def held_words(held: Held) -> str:
    """`2 replicas: 0.5 CPU, 2.1 GiB of memory, no GPU`."""
    if not held.replicas:
        return "no replica, and so nothing"
    replicas = f"{held.replicas} replica{'s' if held.replicas > 1 else ''}"
    return f"{replicas}: {held.cpu:g} CPU, {size(held.memory_bytes)} of memory, {held.gpus or 'no'} GPU"


class RetireView(ActionPage):
    """Serve nothing any more and hold nothing for it."""

    permissions = {"GET": Permission.ENDPOINT_MANAGE, "POST": Permission.ENDPOINT_MANAGE}
    title, submit, danger = "Retire", "Retire endpoint", True

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Say what is given back, and ask whether to."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        self.intro = (
            f"Requests will be refused, and what is held is given back ({held_words(held_for(endpoint))}). Record, "
            "deployments and artifacts stay. A deployment or a rollback brings it back."
        )
        return self.show(endpoint, StopForm())

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Retire it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        form = StopForm(request.POST)
        held, status = self.save(form, lambda values: retire(endpoint, **values, acting_user=actor_of(request)))
        if held is None:
            return self.show(endpoint, form, status)
        messages.success(request, f"{endpoint.name} is retired. Given back: {held_words(held)}.")
        return redirect("endpoint", endpoint.pk)


class CopyView(EndpointPage):
    """Another endpoint that serves what a deployment served, for testing."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    def post(self, request: HttpRequest, endpoint_id: UUID, deployment_id: UUID) -> HttpResponseBase:
        """Make it and show it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        deployment = selectors.get_deployment(endpoint, deployment_id)
        made = copy_for_testing(deployment, acting_user=actor_of(request))
        messages.success(request, f"{made.name} is made in the lab, and deployment {deployment.number} is on its way.")
        return redirect("endpoint", made.pk)
