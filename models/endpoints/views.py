"""Pages: endpoints, and what one serves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.endpoints import selectors, services
from models.endpoints.calling import calls_of, document_address
from models.endpoints.forms import EndpointForm
from models.endpoints.models import DeploymentTarget, Endpoint
from models.endpoints.pages import EndpointPage, address_of, endpoint_crumbs
from models.endpoints.settings_views import default_words
from models.endpoints.steering import is_rollouts
from models.endpoints.usage import usage_of
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.api import SIGNED_IN
from modelwright.core.listing import Column, Filter, Listing
from projects.models import Project
from projects.navigation import project_crumbs


def _listing(request: HttpRequest, project: Project | None = None) -> Listing[Endpoint]:
    columns = [
        Column("Endpoint", "name"),
        *([] if project else [Column("Project", "project", ("project__name",))]),
        Column("State", "state"),
        Column("Serves now"),
        Column("Made", "created", "created_at"),
    ]
    live = DeploymentTarget.objects.filter(deployment__endpoint=OuterRef("pk"), deployment__state="live")
    found: QuerySet[Any] = selectors.endpoints(person_of(request), project=project).annotate(
        live_model=Subquery(live.values("model_version__model__name")[:1]),
        live_version=Subquery(live.values("model_version__number")[:1]),
    )
    filters = [Filter("q", "Name or description", ("name", "description", "workspace__name"))]
    return Listing(found, request.GET, columns=columns, filters=filters, default_sort="-created")


class EndpointsView(EndpointPage):
    """Every endpoint that one may see."""

    permissions = {"GET": SIGNED_IN}
    template = "endpoints/endpoints.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them over all projects."""
        return self.page({"listing": _listing(request)}, crumbs=[("Endpoints", "")])


class ProjectEndpointsView(EndpointPage):
    """The endpoints of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "endpoints/project_endpoints.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them; `?version=` is handed on to the deploy form of the one that is chosen."""
        project = self.project(request, project_id)
        context = {**self.frame(request, project), **self.may(request, project), "listing": _listing(request, project)}
        version_id = request.GET.get("version", "")
        context["version"] = next((v for v in self._versions(project) if str(v.pk) == version_id), None)
        return self.page(context, crumbs=project_crumbs(project, ("Endpoints", "")))

    @staticmethod
    def _versions(project: Project) -> Any:
        return selectors.versions_ready(project)


class EndpointCreateView(EndpointPage):
    """Make an endpoint."""

    permissions = {"GET": Permission.ENDPOINT_DEPLOY, "POST": Permission.ENDPOINT_DEPLOY}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, Permission.ENDPOINT_DEPLOY)
        return self._show(project, EndpointForm(initial={"name": project.name}))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Make it."""
        project = self.project(request, project_id, Permission.ENDPOINT_DEPLOY)
        form = EndpointForm(request.POST)
        made, status = self.save(
            form, lambda values: services.create_endpoint(project=project, **values, acting_user=actor_of(request))
        )
        if made is None:
            return self._show(project, form, status)
        messages.success(request, f"The endpoint {made.path} is made. Deploy a version to it.")
        return redirect("endpoint", made.pk)

    def _show(self, project: Project, form: EndpointForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": f"New endpoint of {project.name}",
            "submit": "Make endpoint",
            "intro": f"Clients will post to /{project.workspace.name}/<name>/predict; the name cannot change later.",
            "cancel_url": reverse("project-endpoints", args=[project.pk]),
        }
        crumbs = project_crumbs(project, ("Endpoints", str(context["cancel_url"])), ("New endpoint", ""))
        return self.page(context, crumbs=crumbs, status=status)


class EndpointView(EndpointPage):
    """An endpoint: what serves now, its deployments, how to call it."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "endpoints/endpoint.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show it."""
        endpoint = self.endpoint(request, endpoint_id)
        context = {**self.frame(request, endpoint.project), **self.may(request, endpoint.project)}
        context |= self.serving(endpoint)
        context |= {
            "address": address_of(endpoint),
            "may_route": context["live"] and not is_rollouts(context["under_way"] or context["live"]),
            "keys": selectors.keys_of(endpoint)[:50],
            "rollback_to": next(iter(selectors.rollback_choices(endpoint)), None),
            "calls": calls_of(endpoint, context["live"]),
            "document_address": document_address(endpoint),
            "usage": usage_of(endpoint),
            "default_retention": default_words(),
        }
        return self.page(context, crumbs=endpoint_crumbs(endpoint))


class EndpointServingView(EndpointPage):
    """The live part of an endpoint's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "endpoints/_serving.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Answer the fragment; the last one, when nothing changes any more, asks for no other."""
        endpoint = self.endpoint(request, endpoint_id)
        return self.page({**self.may(request, endpoint.project), **self.serving(endpoint)})
