"""Pages: everything an endpoint ever served, and what is different between two of its deployments."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from models.endpoints import selectors
from models.endpoints.diffing import differences
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.endpoints.states import DeploymentState
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import ValidationFailed
from modelwright.core.listing import Column, Filter, Listing

_COLUMNS = [Column("Number", "number"), Column("Asked for", "created", "created_at"), Column("Live", "live", "live_at")]
_FILTERS = [
    Filter("q", "Version, person or reason", ("targets__model_version__model__name", "actor_name", "reason", "detail")),
    Filter("state", "State", ("state",), DeploymentState.choices),
    Filter("kind", "Kind", ("kind",), Deployment.Kind.choices),
    Filter("since", "Since", ("created_at",), kind="date"),
]
_PAGE = 25


class DeploymentsView(EndpointPage):
    """The deployments of an endpoint as a time line: who, why, on what evidence."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "endpoints/deployments.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """List them."""
        endpoint = self.endpoint(request, endpoint_id)
        found = selectors.deployments_of(endpoint).distinct()
        listing = Listing(
            found, request.GET, columns=_COLUMNS, filters=_FILTERS, default_sort="-number", page_size=_PAGE
        )
        before = Deployment.objects.filter(endpoint=endpoint, number__in=[each.number - 1 for each in listing.rows])
        numbers = dict(before.values_list("number", "pk"))
        context = {**self.may(request, endpoint.project), "endpoint": endpoint, "listing": listing}
        context["rows"] = [(each, numbers.get(each.number - 1)) for each in listing.rows]
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Deployments", "")))


class DeploymentDifferencesView(EndpointPage):
    """Two deployments beside each other."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "endpoints/differences.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Compare `?a=` with `?b=`, ids of deployments; the newest two where they are left out."""
        endpoint = self.endpoint(request, endpoint_id)
        before, after = self._chosen(request, endpoint)
        sections = differences(before, after)
        context: dict[str, Any] = {"endpoint": endpoint, "before": before, "after": after}
        context["sections"] = [section for section in sections if section.rows]
        context["same"] = [section.name for section in sections if not section.rows]
        context["choices"] = selectors.deployments_of(endpoint)[:200]
        section = ("Deployments", reverse("endpoint-deployments", args=[endpoint.pk]))
        return self.page(context, crumbs=endpoint_crumbs(endpoint, section, ("Differences", "")))

    @staticmethod
    def _chosen(request: HttpRequest, endpoint: Endpoint) -> tuple[Deployment, Deployment]:
        newest = list(selectors.deployments_of(endpoint)[:2])
        if not newest:
            raise ValidationFailed(f"{endpoint.name} has no deployment yet.", remedy="Deploy a version first.")
        found = []
        for name, usual in (("a", newest[-1]), ("b", newest[0])):
            try:
                given = request.GET.get(name, "")
                found.append(selectors.get_deployment(endpoint, UUID(given)) if given else usual)
            except ValueError:
                raise ValidationFailed(
                    f"`{name}` is no id of a deployment.",
                    remedy="Choose two on the endpoint's deployments.",
                    field=name,
                ) from None
        return found[0], found[1]
