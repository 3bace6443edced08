"""What the pages of endpoints share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from models.endpoints import selectors
from models.endpoints.models import Endpoint
from models.endpoints.retiring import retirement_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.pages import Crumbs
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions


def endpoint_crumbs(endpoint: Endpoint, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the endpoint."""
    section = ("Endpoints", reverse("project-endpoints", args=[endpoint.project_id]))
    own = (endpoint.name, reverse("endpoint", args=[endpoint.pk]))
    return project_crumbs(endpoint.project, section, own, *more)


class EndpointPage(ProjectPage):
    """A page of one endpoint."""

    def endpoint(
        self, request: HttpRequest, endpoint_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> Endpoint:
        """The endpoint, in whose project the person holds `permission`."""
        return selectors.get_endpoint(person_of(request), endpoint_id, permission)

    def may(self, request: HttpRequest, project: Project) -> dict[str, bool]:
        """What of these pages' actions the person may do."""
        held = project_permissions(person_of(request), project)
        return {
            "may_deploy": Permission.ENDPOINT_DEPLOY in held,
            "may_roll_back": Permission.ENDPOINT_ROLLBACK in held,
            "may_manage_endpoint": Permission.ENDPOINT_MANAGE in held,
            "may_predict": Permission.PREDICT in held,
        }

    def serving(self, endpoint: Endpoint) -> dict[str, Any]:
        """What the live part of the page shows."""
        live, under_way = selectors.live_deployment(endpoint), selectors.under_way(endpoint)
        replicas = list(selectors.replicas_of(endpoint))
        served = {target.model_version_id for target in live.targets.all()} if live else set()
        unhealthy = any(replica.model_version_id in served and not replica.answers for replica in replicas)
        answering = selectors.answering(endpoint, live, replicas) if live else []
        gone = bool(served - {replica.model_version_id for replica in replicas})
        return {
            "endpoint": endpoint,
            "live": live,
            "live_weight": sum(target.weight for target in live.targets.all()) if live else 0,
            "under_way": under_way,
            "replicas": replicas,
            "served": served,
            "answering": answering,
            "in_trouble": unhealthy or gone,
            "is_changing": under_way is not None or unhealthy or gone or any(each.on_its_way for each in answering),
            "deployments": selectors.deployments_of(endpoint)[:15],
            "retirement": retirement_of(endpoint),
        }


def address_of(endpoint: Endpoint) -> str:
    """Where clients post to."""
    return f"{settings.GATEWAY_URL}/{endpoint.path}/predict"
