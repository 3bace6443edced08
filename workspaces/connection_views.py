"""Pages: the data connections of a workspace."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.etags import seen_revision
from modelwright.core.listing import Column, Filter, Listing
from workspaces import connection_services, selectors
from workspaces.forms import ConnectionForm
from workspaces.models import DataConnection, Workspace
from workspaces.pages import WorkspacePage, workspace_crumbs

KINDS = DataConnection.Kind


class ConnectionsView(WorkspacePage):
    """The data connections of a workspace."""

    permissions = {"GET": Permission.WORKSPACE_VIEW}
    template = "workspaces/connections.html"
    section = "data-connections"

    def get(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """List them."""
        workspace = self.workspace(request, workspace_id)
        columns = [
            Column("Name", "name"),
            Column("Kind", "kind"),
            Column("Configuration"),
            Column("Secret"),
            Column("Added", "added", "created_at"),
            Column("Actions", hidden_label=True),
        ]
        filters = [Filter("q", "Name", ("name", "description")), Filter("kind", "Kind", ("kind",), KINDS.choices)]
        connections = selectors.data_connections(workspace)
        listing = Listing(connections, request.GET, columns=columns, filters=filters, default_sort="name")
        context = {**self.frame(request, workspace), "listing": listing, "kinds": KINDS.choices}
        return self.page(context, crumbs=workspace_crumbs(workspace, ("Data connections", "")))


@method_decorator(sensitive_post_parameters("secret"), name="dispatch")
class ConnectionCreateView(WorkspacePage):
    """Add a data connection; `?kind=` names the kind."""

    permissions = {"GET": Permission.WORKSPACE_MANAGE, "POST": Permission.WORKSPACE_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Show the form."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        return self._show(workspace, ConnectionForm(_kind(request), is_new=True))

    def post(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Add it."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        form = ConnectionForm(_kind(request), request.POST, is_new=True)
        made, status = self.save(
            form,
            lambda _: connection_services.create_data_connection(
                workspace, kind=form.kind, **form.values(), acting_user=actor_of(request)
            ),
        )
        if made is None:
            return self._show(workspace, form, status)
        messages.success(request, f"The data connection {made.name} is added.")
        return redirect("data-connections", workspace.pk)

    def _show(self, workspace: Workspace, form: ConnectionForm, status: int = 200) -> HttpResponse:
        back = reverse("data-connections", args=[workspace.pk])
        title = f"New data connection: {KINDS(form.kind).label}"
        context = {"form": form, "title": title, "submit": "Add data connection", "cancel_url": back}
        crumbs = workspace_crumbs(workspace, ("Data connections", back), ("New", ""))
        return self.page(context, crumbs=crumbs, status=status)


@method_decorator(sensitive_post_parameters("secret"), name="dispatch")
class ConnectionChangeView(WorkspacePage):
    """Change a data connection."""

    permissions = {"GET": Permission.WORKSPACE_MANAGE, "POST": Permission.WORKSPACE_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, workspace_id: UUID, connection_id: UUID) -> HttpResponseBase:
        """Show the form."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        connection = selectors.get_data_connection(workspace, connection_id)
        config = {f"config.{name}": value for name, value in connection.config.items()}
        initial = {"description": connection.description, **config}
        return self._show(connection, ConnectionForm(connection.kind, initial=initial, is_new=False))

    def post(self, request: HttpRequest, workspace_id: UUID, connection_id: UUID) -> HttpResponseBase:
        """Change it."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        connection = selectors.get_data_connection(workspace, connection_id)
        form = ConnectionForm(connection.kind, request.POST, is_new=False)

        def write(_: dict[str, Any]) -> DataConnection:
            return connection_services.change_data_connection(
                connection,
                **form.values(),
                expected_revision=seen_revision(request),
                acting_user=actor_of(request),
            )

        changed, status = self.save(form, write)
        if changed is None:
            return self._show(connection, form, status)
        messages.success(request, f"The data connection {changed.name} is changed.")
        return redirect("data-connections", workspace.pk)

    def _show(self, connection: DataConnection, form: ConnectionForm, status: int = 200) -> HttpResponse:
        workspace = connection.workspace
        back = reverse("data-connections", args=[workspace.pk])
        title = f"Data connection {connection.name}"
        revision = seen_revision(self.request) or connection.revision
        context = {
            "form": form,
            "title": title,
            "submit": "Save data connection",
            "cancel_url": back,
            "revision": revision,
        }
        crumbs = workspace_crumbs(workspace, ("Data connections", back), (connection.name, ""))
        return self.page(context, crumbs=crumbs, status=status)


class ConnectionDeleteView(WorkspacePage):
    """Delete a data connection."""

    permissions = {"GET": Permission.WORKSPACE_MANAGE, "POST": Permission.WORKSPACE_MANAGE}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, workspace_id: UUID, connection_id: UUID) -> HttpResponseBase:
        """Ask."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        connection = selectors.get_data_connection(workspace, connection_id)
        back = reverse("data-connections", args=[workspace.pk])
        context = {
            "title": f"Delete the data connection {connection.name}",
            "explanation": "Its configuration and its secret are deleted. The data itself is not touched.",
            "submit": "Delete data connection",
            "cancel_url": back,
            "danger": True,
        }
        return self.page(context, crumbs=workspace_crumbs(workspace, ("Data connections", back), ("Delete", "")))

    def post(self, request: HttpRequest, workspace_id: UUID, connection_id: UUID) -> HttpResponseBase:
        """Delete it."""
        workspace = self.workspace(request, workspace_id, Permission.WORKSPACE_MANAGE)
        connection = selectors.get_data_connection(workspace, connection_id)
        connection_services.delete_data_connection(connection, acting_user=actor_of(request))
        messages.success(request, f"The data connection {connection.name} is deleted.")
        return redirect("data-connections", workspace.pk)


def _kind(request: HttpRequest) -> str:
    wanted = request.GET.get("kind", "")
    return wanted if wanted in KINDS.values else KINDS.POSTGRESQL
