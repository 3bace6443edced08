"""Pages: models, one model, one version, one node of lineage."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from lineage.drawing import Drawing, draw
from models.registry import selectors, services
from models.registry.forms import AliasForm, ModelForm
from models.registry.links import link_of
from models.registry.models import ModelVersion, RegisteredModel
from models.registry.proofs import compiled_context
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.api import SIGNED_IN
from modelwright.core.errors import Unavailable
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import Crumbs
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions


def model_crumbs(model: RegisteredModel, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the model."""
    own = (model.name, reverse("model", args=[model.pk]))
    section = ("Models", reverse("project-models", args=[model.project_id]))
    return project_crumbs(model.project, section, own, *more)


class RegistryPage(ProjectPage):
    """A page of a model or a version."""

    def model(
        self, request: HttpRequest, model_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> RegisteredModel:
        """The model, in whose project the person holds `permission`."""
        return selectors.get_model(person_of(request), model_id, permission)

    def version(
        self, request: HttpRequest, version_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> ModelVersion:
        """The version, in whose project the person holds `permission`."""
        return selectors.get_version(person_of(request), version_id, permission)

    def may(self, request: HttpRequest, project: Project) -> dict[str, bool]:
        """What of these pages' actions the person may do."""
        held = project_permissions(person_of(request), project)
        return {
            "may_edit_models": Permission.MODEL_EDIT in held,
            "may_deploy": Permission.ENDPOINT_DEPLOY in held,
            "may_score": Permission.RUN_START in held,
        }

    def listing(self, request: HttpRequest, project: Project | None = None) -> Listing[RegisteredModel]:
        """The models of one project, or of all, as a page's list."""
        person = person_of(request)

        def search(_found: QuerySet[Any], words: str) -> QuerySet[Any]:
            return selectors.registered_models(person, query=words, project=project)

        columns = [
            Column("Model", "name"),
            *([] if project else [Column("Project", "project", ("project__name",))]),
            Column("Algorithm"),
            Column("Newest version", "version", ("latest",), numeric=True),
            Column("Registered", "created", "created_at"),
        ]
        words = "Name, algorithm or alias" if project else "Name, algorithm, alias or project"
        found = selectors.registered_models(person, project=project)
        wanted = Filter("q", words, apply=search)
        listing = Listing(found, request.GET, columns=columns, filters=[wanted], default_sort="-created")
        newest = _newest_versions(listing.rows)
        for model in listing.rows:
            model.newest = newest.get(model.pk)  # type: ignore[attr-defined]  # for the template alone
        return listing


def _newest_versions(models: list[RegisteredModel]) -> dict[UUID, ModelVersion]:
    rows = ModelVersion.objects.filter(model__in=models).prefetch_related("aliases").order_by("model_id", "-number")
    return {version.model_id: version for version in rows.distinct("model_id")}


class ModelsView(RegistryPage):
    """Every model that one may see."""

    permissions = {"GET": SIGNED_IN}
    template = "registry/models.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Search over all projects."""
        return self.page({"listing": self.listing(request)}, crumbs=[("Models", "")])


class ProjectModelsView(RegistryPage):
    """The models of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "registry/project_models.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id)
        context = {**self.frame(request, project), "listing": self.listing(request, project)}
        return self.page(context, crumbs=project_crumbs(project, ("Models", "")))


class ModelView(RegistryPage):
    """A model and its versions."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "registry/model.html"

    def get(self, request: HttpRequest, model_id: UUID) -> HttpResponseBase:
        """Show it."""
        model = self.model(request, model_id)
        columns = [
            Column("Version", "number", numeric=True),
            Column("State", "state"),
            Column("Algorithm", "algorithm", ("algorithm_name",)),
            Column("Aliases"),
            Column("Digest"),
            Column("Registered", "created", "created_at"),
        ]
        listing = Listing(selectors.versions_of(model), request.GET, columns=columns, default_sort="-number")
        context = {**self.frame(request, model.project), **self.may(request, model.project)}
        context |= {"model": model, "listing": listing, "aliases": model.aliases.select_related("version")}
        return self.page(context, crumbs=model_crumbs(model))


class ModelEditView(RegistryPage):
    """Change what is said of a model."""

    permissions = {"GET": Permission.MODEL_EDIT, "POST": Permission.MODEL_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, model_id: UUID) -> HttpResponseBase:
        """Show the form."""
        model = self.model(request, model_id, Permission.MODEL_EDIT)
        return self._show(model, ModelForm(initial={"description": model.description}))

    def post(self, request: HttpRequest, model_id: UUID) -> HttpResponseBase:
        """Change it."""
        model = self.model(request, model_id, Permission.MODEL_EDIT)
        form = ModelForm(request.POST)
        changed, status = self.save(
            form, lambda values: services.change_model(model, **values, acting_user=actor_of(request))
        )
        if changed is None:
            return self._show(model, form, status)
        messages.success(request, "Saved.")
        return redirect("model", model.pk)

    def _show(self, model: RegisteredModel, form: ModelForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "title": f"Describe {model.name}", "submit": "Save"}
        context["cancel_url"] = reverse("model", args=[model.pk])
        return self.page(context, crumbs=model_crumbs(model, ("Describe", "")), status=status)


class ModelAliasSetView(RegistryPage):
    """Point an alias to a version."""

    permissions = {"GET": Permission.MODEL_EDIT, "POST": Permission.MODEL_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, model_id: UUID) -> HttpResponseBase:
        """Show the form."""
        model = self.model(request, model_id, Permission.MODEL_EDIT)
        initial = {"alias": request.GET.get("alias", "")[:255], "version": request.GET.get("version", "")[:9]}
        return self._show(model, AliasForm(self._versions(model), initial=initial))

    def post(self, request: HttpRequest, model_id: UUID) -> HttpResponseBase:
        """Set it."""
        model = self.model(request, model_id, Permission.MODEL_EDIT)
        form = AliasForm(self._versions(model), request.POST)

        def write(values: dict[str, Any]) -> object:
            version = self._versions(model).get(number=int(values["version"]))
            return services.set_alias(model, name=values["alias"], version=version, acting_user=actor_of(request))

        alias, status = self.save(form, write)
        if alias is None:
            return self._show(model, form, status)
        messages.success(request, f"{model.name}@{alias} is version {form.cleaned_data['version']} now.")
        return redirect("model", model.pk)

    @staticmethod
    def _versions(model: RegisteredModel) -> QuerySet[ModelVersion]:
        return selectors.versions_of(model).exclude(state="refused")

    def _show(self, model: RegisteredModel, form: AliasForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "title": f"Alias of {model.name}", "submit": "Set alias"}
        context["intro"] = "An alias is a name such as champion that points to one version and may move to another."
        context["cancel_url"] = reverse("model", args=[model.pk])
        return self.page(context, crumbs=model_crumbs(model, ("Alias", "")), status=status)


class ModelAliasRemoveView(RegistryPage):
    """Remove an alias."""

    permissions = {"POST": Permission.MODEL_EDIT}

    def post(self, request: HttpRequest, model_id: UUID, alias: str) -> HttpResponseBase:
        """Remove it."""
        model = self.model(request, model_id, Permission.MODEL_EDIT)
        services.remove_alias(model, name=alias, acting_user=actor_of(request))
        messages.success(request, f"{model.name}@{alias} is removed.")
        return redirect("model", model.pk)


class VersionView(RegistryPage):
    """A version: what it is, what it came from, where it serves."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "registry/version.html"

    def get(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Show it; while it is imported, the page asks again by itself."""
        version = self.version(request, version_id)
        if request.headers.get("HX-Request"):
            # Once it is over, the whole page is new.
            fragment = self.page({"version": version}, template="registry/_progress.html")
            if version.state != "importing":
                fragment.headers["HX-Refresh"] = "true"
            return fragment
        project = version.model.project
        context = {**self.frame(request, project), **self.may(request, project), "version": version}
        context |= {"drawing": self._drawing(request, version), **_files(version), "tree": version.algorithm}
        context |= compiled_context(version)
        context["targets"] = (
            version.deployment_targets.select_related("deployment__endpoint__workspace")
            .exclude(deployment__state="failed")
            .order_by("-deployment_id")[:10]
        )
        return self.page(context, crumbs=model_crumbs(version.model, (f"Version {version.number}", "")))

    @staticmethod
    def _drawing(request: HttpRequest, version: ModelVersion) -> Drawing | None:
        graph = selectors.lineage_of(person_of(request), version)
        return draw(graph, link_of=link_of) if graph else None


def _files(version: ModelVersion) -> dict[str, Any]:
    try:
        return {"manifest": selectors.files_of(version)}
    except Unavailable as error:
        return {"manifest_error": error}


class VersionRetryView(RegistryPage):
    """Another try at a version that failed."""

    permissions = {"POST": Permission.MODEL_EDIT}

    def post(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Take it over, or open it, again."""
        version = self.version(request, version_id, Permission.MODEL_EDIT)
        services.import_again(version, acting_user=actor_of(request))
        messages.success(request, f"{version} is tried again.")
        return redirect("model-version", version.pk)


class LineageNodeView(RegistryPage):
    """Anything in lineage: what it came from and what came from it."""

    permissions = {"GET": SIGNED_IN}
    template = "lineage/node.html"

    def get(self, request: HttpRequest, node_id: UUID) -> HttpResponseBase:
        """Show it."""
        graph = selectors.lineage_around(person_of(request), node_id)
        node = next(each for each in graph.nodes if each.pk == node_id)
        attrs = [(name, value) for name, value in sorted(node.attrs.items()) if name not in ("id", "title")]
        context = {"node": node, "attrs": attrs, "drawing": draw(graph, link_of=link_of)}
        return self.page(context, crumbs=[("Models", reverse("models")), (node.title, "")])
