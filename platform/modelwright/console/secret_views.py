"""Page: which workload of any project was given which secrets, for administrators and auditors."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.listing import Filter
from modelwright.core.pages import PlatformView
from projects.selectors import visible_projects
from projects.variables.selectors import all_secret_reads
from projects.variables.views import reads_listing

MOST_CHOICES = 200


class SecretReadsView(PlatformView):
    """The record of secrets."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "console/secret_reads.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List and filter it."""
        viewer = person_of(request)
        projects = visible_projects(viewer).order_by("workspace__name", "name")[:MOST_CHOICES]
        choices = [(str(project.pk), f"{project.workspace.name} / {project.name}") for project in projects]
        project = Filter("project", "Project", ("project_id",), choices=choices)
        listing = reads_listing(all_secret_reads(viewer), request.GET, more=(project,))
        crumbs = [("Audit", reverse("audit")), ("Who was given secrets", "")]
        return self.page({"listing": listing, "with_project": True}, crumbs=crumbs)
