"""Pages: the members of a project."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.listing import Column, Filter, Listing
from projects import selectors, services
from projects.forms import MemberForm
from projects.models import Project, ProjectMembership
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from workspaces.member_views import named_person
from workspaces.selectors import members as members_of_workspace


class MembersView(ProjectPage):
    """The members of a project, with a form that adds one or changes a role."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PROJECT_MANAGE}
    template = "projects/members.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id)
        return self._show(request, project, self._form(project, initial={"username": request.GET.get("username", "")}))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Give a member of the workspace a role."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        form = self._form(project, request.POST)

        def write(values: dict[str, Any]) -> ProjectMembership:
            person = named_person(values["username"])
            return services.set_member(project, person, role=values["role"], acting_user=actor_of(request))

        member, status = self.save(form, write)
        if member is None:
            return self._show(request, project, form, status)
        messages.success(request, f"{member.user.username} is {member.role} of {project.name} now.")
        return redirect("project-members", project.pk)

    def _form(self, project: Project, data: Any = None, **more: Any) -> MemberForm:
        active = members_of_workspace(project.workspace).filter(user__is_active=True)
        return MemberForm(list(active.values_list("user__username", flat=True)), data, **more)

    def _show(self, request: HttpRequest, project: Project, form: MemberForm, status: int = 200) -> HttpResponse:
        columns = [
            Column("User name", "username", "user__username"),
            Column("Name", "name", "user__full_name"),
            Column("Role", "role"),
            Column("Since", "since", "created_at"),
            Column("Actions", hidden_label=True),
        ]
        filters = [Filter("q", "Name", ("user__username", "user__full_name"))]
        listing = Listing(
            selectors.members(project), request.GET, columns=columns, filters=filters, default_sort="username"
        )
        context = {**self.frame(request, project), "form": form, "listing": listing}
        return self.page(context, crumbs=project_crumbs(project, ("Members", "")), status=status)


class MemberRemoveView(ProjectPage):
    """Take a person out of a project."""

    permissions = {"GET": Permission.PROJECT_MANAGE, "POST": Permission.PROJECT_MANAGE}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, project_id: UUID, username: str) -> HttpResponseBase:
        """Ask."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        member = selectors.get_member(project, username).user
        back = reverse("project-members", args=[project.pk])
        context = {
            "title": f"Remove {member.username} from {project.name}",
            "explanation": "They lose their own role in the project. They stay a member of the workspace.",
            "submit": "Remove member",
            "cancel_url": back,
            "danger": True,
        }
        return self.page(context, crumbs=project_crumbs(project, ("Members", back), ("Remove", "")))

    def post(self, request: HttpRequest, project_id: UUID, username: str) -> HttpResponseBase:
        """Remove them."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        member = selectors.get_member(project, username).user
        services.remove_member(project, member, acting_user=actor_of(request))
        messages.success(request, f"{member.username} has no role of their own in {project.name} any more.")
        # Whoever removed themselves may not see the list any more.
        is_self = member.pk == request.user.pk
        return redirect("workspace", project.workspace_id) if is_self else redirect("project-members", project.pk)
