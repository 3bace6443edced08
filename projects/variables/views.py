"""Pages: the variables of a project, and who was given its secrets."""

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
from modelwright.accounts.views import person_of
from modelwright.core.listing import Column, Filter, Listing
from projects.models import Project, SecretRead, Variable
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions
from projects.variables import selectors, services
from projects.variables.forms import VariableChangeForm, VariableForm

READS_SHOWN = 20


class _VariablePage(ProjectPage):
    def frame(self, request: HttpRequest, project: Project) -> dict[str, Any]:
        """With whether the person may set variables."""
        held = project_permissions(person_of(request), project)
        return {**super().frame(request, project), "may_set": Permission.VARIABLE_EDIT in held}


@method_decorator(sensitive_post_parameters("value"), name="dispatch")
class VariablesView(_VariablePage):
    """The variables of a project, with a form that sets one."""

    permissions = {"GET": Permission.VARIABLE_VIEW, "POST": Permission.VARIABLE_EDIT}
    template = "projects/variables.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them; secrets without their values."""
        form = VariableForm(initial={"name": request.GET.get("name", "")[:128], "is_secret": True})
        return self._show(request, self.project(request, project_id, Permission.VARIABLE_VIEW), form)

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Set one."""
        project = self.project(request, project_id, Permission.VARIABLE_EDIT)
        form = VariableForm(request.POST)

        def write(values: dict[str, Any]) -> Variable:
            return services.set_variable(project, **values, acting_user=actor_of(request))

        variable, status = self.save(form, write)
        if variable is None:
            form.hide_secret()
            return self._show(request, project, form, status)
        messages.success(request, f"{variable.name} is set. What starts from now on gets it.")
        return redirect("project-variables", project.pk)

    def _show(self, request: HttpRequest, project: Project, form: VariableForm, status: int = 200) -> HttpResponse:
        columns = [
            Column("Name", "name"),
            Column("Value"),
            Column("Given", "given", "delivery"),
            Column("Changed", "changed", "changed_at"),
            Column("By", "by", "changed_by"),
            Column("Actions", hidden_label=True),
        ]
        filters = [
            Filter("q", "Name or purpose", ("name", "description")),
            Filter("kind", "Kind", choices=[("secret", "Secrets"), ("plain", "Plain variables")], apply=_of_kind),
        ]
        listing = Listing(
            selectors.variables(project), request.GET, columns=columns, filters=filters, default_sort="name"
        )
        shown = [(variable, selectors.shown_value(variable)) for variable in listing.rows]
        context = {**self.frame(request, project), "form": form, "listing": listing, "variables": shown}
        return self.page(context, crumbs=project_crumbs(project, ("Variables", "")), status=status)


def _of_kind(variables: Any, kind: str) -> Any:
    return variables.filter(is_secret=kind == "secret")


class VariableView(_VariablePage):
    """One variable, and who was given it where it is a secret."""

    permissions = {"GET": Permission.VARIABLE_VIEW}
    template = "projects/variable.html"

    def get(self, request: HttpRequest, project_id: UUID, name: str) -> HttpResponseBase:
        """Show it."""
        project = self.project(request, project_id, Permission.VARIABLE_VIEW)
        variable = selectors.get_variable(project, name)
        context = {
            **self.frame(request, project),
            "variable": variable,
            "value": selectors.shown_value(variable),
            "reads": selectors.secret_reads(project, name=name)[:READS_SHOWN],
        }
        back = reverse("project-variables", args=[project.pk])
        return self.page(context, crumbs=project_crumbs(project, ("Variables", back), (name, "")))


@method_decorator(sensitive_post_parameters("value"), name="dispatch")
class VariableEditView(_VariablePage):
    """Change a variable."""

    permissions = {"GET": Permission.VARIABLE_EDIT, "POST": Permission.VARIABLE_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID, name: str) -> HttpResponseBase:
        """Show the form, with the value of a plain variable only."""
        project = self.project(request, project_id, Permission.VARIABLE_EDIT)
        variable = selectors.get_variable(project, name)
        initial = {
            "value": selectors.shown_value(variable) or "",
            "is_secret": variable.is_secret,
            "delivery": variable.delivery,
            "description": variable.description,
        }
        return self._show(variable, VariableChangeForm(variable, initial=initial))

    def post(self, request: HttpRequest, project_id: UUID, name: str) -> HttpResponseBase:
        """Change it."""
        project = self.project(request, project_id, Permission.VARIABLE_EDIT)
        variable = selectors.get_variable(project, name)
        form = VariableChangeForm(variable, request.POST)

        def write(_: dict[str, Any]) -> Variable:
            return services.change_variable(variable, **form.changes(), acting_user=actor_of(request))

        changed, status = self.save(form, write)
        if changed is None:
            form.hide_secret()
            return self._show(variable, form, status)
        messages.success(request, f"{changed.name} is changed. What starts from now on gets it.")
        return redirect("project-variable", project.pk, changed.name)

    def _show(self, variable: Variable, form: VariableChangeForm, status: int = 200) -> HttpResponse:
        project = variable.project
        own = reverse("project-variable", args=[project.pk, variable.name])
        context = {
            "form": form,
            "title": f"Change {variable.name}",
            "submit": "Save variable",
            "cancel_url": own,
        }
        back = reverse("project-variables", args=[project.pk])
        crumbs = project_crumbs(project, ("Variables", back), (variable.name, own), ("Change", ""))
        return self.page(context, crumbs=crumbs, status=status)


class VariableDeleteView(_VariablePage):
    """Delete a variable."""

    permissions = {"GET": Permission.VARIABLE_EDIT, "POST": Permission.VARIABLE_EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, project_id: UUID, name: str) -> HttpResponseBase:
        """Ask."""
        project = self.project(request, project_id, Permission.VARIABLE_EDIT)
        variable = selectors.get_variable(project, name)
        back = reverse("project-variables", args=[project.pk])
        context = {
            "title": f"Delete the variable {variable.name}",
            "explanation": "What starts from now on does not get it. Its value cannot be brought back.",
            "submit": "Delete variable",
            "cancel_url": back,
            "danger": True,
        }
        return self.page(context, crumbs=project_crumbs(project, ("Variables", back), ("Delete", "")))

    def post(self, request: HttpRequest, project_id: UUID, name: str) -> HttpResponseBase:
        """Delete it."""
        project = self.project(request, project_id, Permission.VARIABLE_EDIT)
        services.delete_variable(project, name=name, acting_user=actor_of(request))
        messages.success(request, f"{name} is deleted.")
        return redirect("project-variables", project.pk)


class SecretReadsView(_VariablePage):
    """Who was given secrets of the project."""

    permissions = {"GET": Permission.VARIABLE_VIEW}
    template = "projects/secret_reads.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id, Permission.VARIABLE_VIEW)
        listing = reads_listing(selectors.secret_reads(project), request.GET)
        back = reverse("project-variables", args=[project.pk])
        crumbs = project_crumbs(project, ("Variables", back), ("Who was given secrets", ""))
        return self.page({**self.frame(request, project), "listing": listing}, crumbs=crumbs)


def reads_listing(reads: Any, params: Any, *, more: tuple[Filter, ...] = ()) -> Listing[SecretRead]:
    """The record as a list of a page."""
    columns = [
        Column("When", "when", "created_at"),
        Column("For whom", "person"),
        Column("What", "what", "subject"),
        Column("Attempt", "attempt", numeric=True),
        Column("Secrets"),
    ]
    filters = [
        Filter("name", "Secret", apply=lambda rows, name: rows.filter(names__contains=[name])),
        Filter("person", "For whom", ("person",)),
        Filter("q", "What", ("subject",)),
        Filter("since", "From day", ("created_at",), kind="date"),
        *more,
    ]
    return Listing(reads, params, columns=columns, filters=filters, default_sort="-when")
