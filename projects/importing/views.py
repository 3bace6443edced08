"""Pages: ask for an import, and see what came of those before."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.listing import Column, Filter, Listing
from projects.importing import selectors, services
from projects.importing.guarding import MOST_CHARACTERS
from projects.importing.states import MACHINE, ImportState
from projects.models import Project, SourceImport, Variable
from projects.navigation import project_crumbs
from projects.pages import ProjectPage

_PLAIN = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}


class ImportForm(forms.Form):
    """What to import."""

    address = forms.CharField(
        label="Address",
        max_length=MOST_CHARACTERS,
        help_text="Such as https://git.example.org/team/project.git, without a name or password.",
        widget=forms.TextInput(attrs={**_PLAIN, "class": "code"}),
    )
    branch = forms.CharField(
        label="Branch",
        max_length=120,
        required=False,
        help_text="Empty: the repository's main branch.",
        widget=forms.TextInput(attrs={**_PLAIN, "class": "code"}),
    )
    username = forms.CharField(
        label="Name to sign in with", max_length=100, required=False, widget=forms.TextInput(attrs=_PLAIN)
    )
    secret = forms.ChoiceField(
        label="Secret with the password or token",
        required=False,
        help_text="A secret variable of the project. It is sent to that address alone.",
    )
    replace = forms.BooleanField(
        label="Replace the project's changes",
        required=False,
        help_text="Without it, an import that would take away somebody's changes is refused and says which.",
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Variable.objects.filter(project=project, is_secret=True).order_by("name").values_list("name", flat=True)
        self.fields["secret"] = forms.ChoiceField(
            label=self.fields["secret"].label,
            help_text=self.fields["secret"].help_text,
            required=False,
            choices=[("", "None: the repository is public"), *((name, name) for name in names)],
        )


class ImportView(ProjectPage):
    """The form, and the imports of the project."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "projects/import.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show them."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        return self._show(request, project, ImportForm(project, initial=_again(project)))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Ask for one."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        form = ImportForm(project, request.POST)
        one, status = self.save(
            form, lambda values: services.request_import(project, **values, acting_user=actor_of(request))
        )
        if one is None:
            return self._show(request, project, form, status)
        messages.success(request, "The import is queued. This page shows what becomes of it.")
        return redirect("project-import", project.pk)

    def _show(self, request: HttpRequest, project: Project, form: ImportForm, status: int = 200) -> HttpResponse:
        columns = [
            Column("Address", "address"),
            Column("State", "state"),
            Column("Asked for", "at", ("id",)),
            Column("By", "by", ("maker__username",)),
            Column("What came of it"),
        ]
        filters = [
            Filter("q", "Address", ("address",)),
            Filter("state", "State", ("state",), choices=[(state, state) for state in ImportState]),
        ]
        listing = Listing(
            selectors.imports_of(project), request.GET, columns=columns, filters=filters, default_sort="-at"
        )
        context = {**self.frame(request, project), "form": form, "listing": listing, **_newest(project)}
        context["most_mib"] = settings.GIT_FILE_BYTES // 1024**2
        files = reverse("project-files", args=[project.pk])
        crumbs = project_crumbs(project, ("Files", files), ("Import", ""))
        return self.page(context, crumbs=crumbs, status=status)


class NewestImportView(ProjectPage):
    """The part of the page that says how the newest import goes."""

    permissions = {"GET": Permission.PROJECT_EDIT}
    template = "projects/_import_newest.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Answer the fragment."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        newest = _newest(project)
        response = self.page({"project": project, **newest})
        if not newest["is_live"]:
            # It has ended since the page was shown, whose list says otherwise.
            response["HX-Refresh"] = "true"
        return response


class ImportCancelView(ProjectPage):
    """End an import before its time."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, import_id: UUID) -> HttpResponseBase:
        """Ask."""
        return self._show(self._import(request, import_id))

    def post(self, request: HttpRequest, import_id: UUID) -> HttpResponseBase:
        """End it."""
        one = self._import(request, import_id)
        form = forms.Form(request.POST)
        done, status = self.save(form, lambda _: services.cancel(one, acting_user=actor_of(request)))
        if done is None:
            return self._show(one, form, status)
        messages.success(request, "The import is cancelled.")
        return redirect("project-import", one.project_id)

    def _import(self, request: HttpRequest, import_id: UUID) -> SourceImport:
        return selectors.get_import(person_of(request), import_id, Permission.PROJECT_EDIT)

    def _show(self, one: SourceImport, form: forms.Form | None = None, status: int = 200) -> HttpResponse:
        back = reverse("project-import", args=[one.project_id])
        context = {
            "title": "Cancel the import",
            "explanation": f"{one.address} is not fetched any further, and the project stays as it is.",
            "form": form or forms.Form(),
            "submit": "Stop the import",
            "cancel_url": back,
            "danger": True,
        }
        crumbs = project_crumbs(one.project, ("Import", back), ("Cancel", ""))
        return self.page(context, crumbs=crumbs, status=status)


def _newest(project: Project) -> dict[str, Any]:
    newest = selectors.imports_of(project).first()
    return {"newest": newest, "is_live": newest is not None and newest.state in MACHINE.live}


def _again(project: Project) -> dict[str, str]:
    """The form as it was filled in for the newest import, so that asking again is one click."""
    newest = selectors.imports_of(project).first()
    if newest is None:
        return {}
    return {name: getattr(newest, name) for name in ("address", "branch", "username", "secret")}
