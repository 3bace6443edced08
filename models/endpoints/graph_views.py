"""Pages: the inference graph that an endpoint serves, and deploying one of the project's file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.endpoints import selectors
from models.endpoints.forms import MAX_REASON
from models.endpoints.graph_drawing import draw
from models.endpoints.graphs import Declared, declared, deploy_graph
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.gateway.graphs.parsing import parse
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission


class GraphDeployForm(forms.Form):
    """A graph to serve."""

    def __init__(self, found: Iterable[Declared], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(each.name, each.name) for each in found if each.resolved is not None]
        self.fields["graph"] = forms.ChoiceField(label="Graph", choices=choices)
        self.fields["reason"] = forms.CharField(
            label="Reason",
            max_length=MAX_REASON,
            required=False,
            help_text="What is better about it?",
            widget=forms.Textarea(attrs={"rows": 2}),
        )


class GraphView(EndpointPage):
    """The graph that an endpoint serves, or that an earlier deployment of it served."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "endpoints/graph.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Draw it; `?deployment=` names one."""
        endpoint = self.endpoint(request, endpoint_id)
        deployment = _deployment(endpoint, request.GET.get("deployment", ""))
        context: dict[str, Any] = {"endpoint": endpoint, **self.may(request, endpoint.project)}
        context |= {"deployment": deployment, **(_drawn(deployment) if deployment is not None else {})}
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Graph", "")))


class GraphDeployView(EndpointPage):
    """Ask for a graph of the project's file to be served."""

    permissions = {"GET": Permission.ENDPOINT_DEPLOY, "POST": Permission.ENDPOINT_DEPLOY}
    template = "endpoints/graph_deploy.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the graphs of the newest commit, what is wrong with them, and the form."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        found = declared(endpoint.project)
        names = [each.name for each in found if each.resolved is not None]
        asked = request.GET.get("graph", "")[:63] or endpoint.name
        form = GraphDeployForm(found, initial={"graph": asked if asked in names else ""})
        return self._show(endpoint, found, form)

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Ask for it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        found = declared(endpoint.project)
        form = GraphDeployForm(found, request.POST)

        def write(values: dict[str, Any]) -> object:
            name, reason = values["graph"], values["reason"]
            return deploy_graph(endpoint, name=name, reason=reason, acting_user=actor_of(request))

        made, status = self.save(form, write)
        if made is None:
            return self._show(endpoint, found, form, status)
        messages.success(request, "The deployment is under way.")
        return redirect("endpoint", endpoint.pk)

    def _show(self, endpoint: Endpoint, found: list[Declared], form: forms.Form, status: int = 200) -> HttpResponse:
        shown = [
            {
                "name": each.name,
                "error": each.error,
                "drawing": draw(each.resolved.graph) if each.resolved else None,
                "versions": sorted(each.resolved.versions.items()) if each.resolved else [],
            }
            for each in found
        ]
        may_deploy = any(each.resolved is not None for each in found)
        context = {"endpoint": endpoint, "form": form, "graphs": shown, "has_any": may_deploy}
        graph = ("Graph", reverse("endpoint-graph", args=[endpoint.pk]))
        return self.page(context, crumbs=endpoint_crumbs(endpoint, graph, ("Deploy", "")), status=status)


def _deployment(endpoint: Endpoint, asked: str) -> Deployment | None:
    """The deployment that is asked for, else the one that serves or is on its way; None where it has no graph."""
    if asked:
        try:
            chosen: Deployment | None = selectors.get_deployment(endpoint, UUID(asked))
        except ValueError:
            chosen = None
    else:
        chosen = selectors.live_deployment(endpoint) or selectors.under_way(endpoint)
    return chosen if chosen is not None and chosen.graph else None


def _drawn(deployment: Deployment) -> dict[str, Any]:
    graph = parse(str((deployment.graph or {}).get("name", "")), deployment.graph)
    pages = {node.name: reverse("model-version", args=[node.version_id]) for node in graph.asked() if node.version_id}
    nodes = [(node, pages.get(node.name)) for node in graph.in_order()]
    return {"graph": graph, "nodes": nodes, "drawing": draw(graph, link_of=pages.get)}
