"""What the pages of workspaces and of what is in them share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar
from uuid import UUID

from django import forms
from django.http import HttpRequest
from django.urls import reverse

from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.errors import PlatformError
from modelwright.core.forms import show_problem
from modelwright.core.pages import Crumbs, PlatformView
from workspaces.models import Workspace
from workspaces.selectors import get_workspace, workspace_permissions

T = TypeVar("T")
Tabs = list[tuple[str, str, bool]]


def workspace_crumbs(workspace: Workspace, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the workspace."""
    return [("Workspaces", reverse("workspaces")), (workspace.name, reverse("workspace", args=[workspace.pk])), *more]


def workspace_tabs(workspace: Workspace, current: str, held: Collection[Permission]) -> Tabs:
    """The sections of a workspace for somebody with these permissions there; `current` is the route's name."""
    sections = [
        ("workspace", "Projects"),
        ("workspace-members", "Members"),
        ("data-connections", "Data connections"),
        *([("workspace-events", "Events")] if Permission.WORKSPACE_MANAGE in held else []),
        ("workspace-settings", "Limits"),
    ]
    tabs = [(label, reverse(name, args=[workspace.pk]), name == current) for name, label in sections]
    return [*tabs, ("Usage", f"{reverse('usage')}?workspace={workspace.pk}", current == "usage")]


class FormView(PlatformView):
    """A page with a form whose service may refuse."""

    def save(self, form: forms.BaseForm, write: Callable[[dict[str, Any]], T]) -> tuple[T | None, int]:
        """Call `write` with the form's values; return its result and 200.

        Where the form or the service refuses, the form holds the reasons, and None is returned with their status.
        """
        if not form.is_valid():
            return None, 422
        try:
            return write(form.cleaned_data), 200
        except PlatformError as error:
            show_problem(form, error)
            return None, error.status


class WorkspacePage(FormView):
    """A page of one workspace."""

    section = ""

    def workspace(
        self, request: HttpRequest, workspace_id: UUID, permission: Permission = Permission.WORKSPACE_VIEW
    ) -> Workspace:
        """The workspace, in which the person holds `permission`."""
        return get_workspace(person_of(request), workspace_id, permission)

    def frame(self, request: HttpRequest, workspace: Workspace) -> dict[str, Any]:
        """What every page of a workspace shows around its content."""
        held = workspace_permissions(person_of(request), workspace)
        return {
            "workspace": workspace,
            "tabs": workspace_tabs(workspace, self.section, held),
            "may_manage": Permission.WORKSPACE_MANAGE in held,
            "may_create_projects": Permission.PROJECT_CREATE in held,
        }
