"""Pages: workspaces and their limits. The projects of a workspace are a page of the room above."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.accounts.views import person_of
from modelwright.core.api import SIGNED_IN
from modelwright.core.etags import seen_revision
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import PlatformView
from workspaces import selectors, services
from workspaces.forms import DescriptionForm, LimitsForm, WorkspaceForm
from workspaces.models import Workspace
from workspaces.pages import FormView, WorkspacePage, workspace_crumbs


class WorkspacesView(PlatformView):
    """The workspaces that a person may see."""

    permissions = {"GET": SIGNED_IN}
    template = "workspaces/workspaces.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them."""
        user = person_of(request)
        columns = [
            Column("Workspace", "name"),
            Column("Description", "description"),
            Column("Your role"),
            Column("Made", "created", "created_at"),
        ]
        filters = [Filter("q", "Name or description", ("name", "description"))]
        listing = Listing(
            selectors.visible_workspaces(user), request.GET, columns=columns, filters=filters, default_sort="name"
        )
        context = {
            "listing": listing,
            "roles": selectors.roles_of(user),
            "may_create": user.is_site_admin,
            "sees_all": user.is_site_admin or user.is_auditor,
        }
        return self.page(context, crumbs=[("Workspaces", "")])


class WorkspaceCreateView(FormView):
    """Make a workspace."""

    permissions = {"GET": Permission.WORKSPACE_CREATE, "POST": Permission.WORKSPACE_CREATE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form."""
        require_site(person_of(request), Permission.WORKSPACE_CREATE)
        return self._form(WorkspaceForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Make it."""
        require_site(person_of(request), Permission.WORKSPACE_CREATE)
        form = WorkspaceForm(request.POST)
        made, status = self.save(form, lambda v: services.create_workspace(**v, acting_user=actor_of(request)))
        if made is None:
            return self._form(form, status)
        messages.success(request, f"The workspace {made.name} is made. Add its members next.")
        return redirect("workspace-members", made.pk)

    def _form(self, form: WorkspaceForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": "New workspace",
            "intro": "People who work together, their projects, and what they may use.",
            "submit": "Make workspace",
            "cancel_url": reverse("workspaces"),
        }
        crumbs = [("Workspaces", reverse("workspaces")), ("New workspace", "")]
        return self.page(context, crumbs=crumbs, status=status)


class WorkspaceSettingsView(WorkspacePage):
    """Description and limits of a workspace."""

    permissions = {"GET": Permission.WORKSPACE_VIEW, "POST": Permission.WORKSPACE_MANAGE}
    template = "workspaces/settings.html"
    section = "workspace-settings"

    def get(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Show them, as a form to whoever may change them."""
        workspace = self.workspace(request, workspace_id)
        return self._show(request, workspace, self._form(request, workspace))

    def post(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Change them."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        form = self._form(request, workspace, request.POST)
        changed, status = self.save(
            form,
            lambda values: services.change_workspace(
                workspace, **values, expected_revision=seen_revision(request), acting_user=actor_of(request)
            ),
        )
        if changed is None:
            return self._show(request, workspace, form, status)
        messages.success(request, "Saved.")
        return redirect("workspace-settings", workspace.pk)

    def _form(self, request: HttpRequest, workspace: Workspace, data: Any = None) -> forms.Form:
        kind = LimitsForm if person_of(request).is_site_admin else DescriptionForm
        initial = {name: getattr(workspace, name) for name in kind.base_fields}
        return kind(data, initial=initial)

    def _show(self, request: HttpRequest, workspace: Workspace, form: forms.Form, status: int = 200) -> HttpResponse:
        revision = seen_revision(request) or workspace.revision
        quota = selectors.quota(workspace)
        context = {**self.frame(request, workspace), "form": form, "quota": quota, "revision": revision}
        return self.page(context, crumbs=workspace_crumbs(workspace, ("Limits", "")), status=status)
