"""Pages: the members of a workspace."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import person_by_name
from modelwright.core.errors import FieldError, NotFound
from modelwright.core.listing import Column, Filter, Listing
from workspaces import selectors, services
from workspaces.forms import MemberForm
from workspaces.models import Membership, Workspace
from workspaces.pages import WorkspacePage, workspace_crumbs


class MembersView(WorkspacePage):
    """The members of a workspace, with a form that adds one or changes a role."""

    permissions = {"GET": Permission.WORKSPACE_VIEW, "POST": Permission.WORKSPACE_MANAGE}
    template = "workspaces/members.html"
    section = "workspace-members"

    def get(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """List them."""
        form = MemberForm(initial={"username": request.GET.get("username", "")[:63]})
        return self._show(request, self.workspace(request, workspace_id), form)

    def post(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Give a person a role."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        form = MemberForm(request.POST)

        def write(values: dict[str, Any]) -> Membership:
            person = named_person(values["username"])
            return services.set_member(workspace, person, role=values["role"], acting_user=actor_of(request))

        member, status = self.save(form, write)
        if member is None:
            return self._show(request, workspace, form, status)
        messages.success(request, f"{member.user.username} is {member.role} of {workspace.name} now.")
        return redirect("workspace-members", workspace.pk)

    def _show(self, request: HttpRequest, workspace: Workspace, form: MemberForm, status: int = 200) -> HttpResponse:
        columns = [
            Column("User name", "username", "user__username"),
            Column("Name", "name", "user__full_name"),
            Column("Role", "role"),
            Column("Since", "since", "created_at"),
            Column("Actions", hidden_label=True),
        ]
        filters = [Filter("q", "Name", ("user__username", "user__full_name"))]
        listing = Listing(
            selectors.members(workspace), request.GET, columns=columns, filters=filters, default_sort="username"
        )
        context = {**self.frame(request, workspace), "form": form, "listing": listing}
        return self.page(context, crumbs=workspace_crumbs(workspace, ("Members", "")), status=status)


class MemberRemoveView(WorkspacePage):
    """Take a person out of a workspace."""

    permissions = {"GET": Permission.WORKSPACE_MANAGE, "POST": Permission.WORKSPACE_MANAGE}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, workspace_id: UUID, username: str) -> HttpResponseBase:
        """Ask."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        member = selectors.get_member(workspace, username).user
        back = reverse("workspace-members", args=[workspace.pk])
        context = {
            "title": f"Remove {member.username} from {workspace.name}",
            "explanation": "They no longer see the workspace, and lose their role in every project of it.",
            "submit": "Remove member",
            "cancel_url": back,
            "danger": True,
        }
        return self.page(context, crumbs=workspace_crumbs(workspace, ("Members", back), ("Remove", "")))

    def post(self, request: HttpRequest, workspace_id: UUID, username: str) -> HttpResponseBase:
        """Remove them."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        member = selectors.get_member(workspace, username).user
        services.remove_member(workspace, member, acting_user=actor_of(request))
        messages.success(request, f"{member.username} is no longer a member of {workspace.name}.")
        return redirect("workspace-members", workspace.pk)


def named_person(username: str) -> Any:
    """The person called `username`; the error names the field."""
    try:
        return person_by_name(username)
    except NotFound as error:
        raise NotFound(error.message, errors=(FieldError("username", error.message, error.remedy),)) from None
