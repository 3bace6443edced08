"""What a person may see of models and versions: those of the projects that they may see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet

from lineage import names
from lineage import selectors as lineage
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from modelwright.storage.manifests import Manifest, load
from modelwright.storage.settings import blob_store
from projects.models import Project
from projects.selectors import require_project, visible_projects


def registered_models(viewer: User, *, query: str = "", project: Project | None = None) -> QuerySet[RegisteredModel]:
    """Models of all projects that the person may see, or of one; newest first.

    `query` is looked for in names, descriptions, algorithms, aliases and the project's name.
    """
    found: QuerySet[RegisteredModel] = RegisteredModel.objects.select_related("project__workspace")
    found = found.filter(project__in=visible_projects(viewer).order_by().values("pk"))
    if project is not None:
        found = found.filter(project=project)
    for word in query.split():
        found = found.filter(
            Q(name__icontains=word)
            | Q(description__icontains=word)
            | Q(project__name__icontains=word)
            | Q(pk__in=ModelVersion.objects.filter(algorithm_name__icontains=word).values("model_id"))
            | Q(aliases__name__icontains=word)
        )
    counted: Any = found.annotate(version_count=Count("versions", distinct=True), latest=Max("versions__number"))
    result: QuerySet[RegisteredModel] = counted.order_by("-id").distinct()
    return result


def get_model(viewer: User, model_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> RegisteredModel:
    """A model in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    model = registered_models(viewer).filter(pk=model_id).first()
    if model is None:
        raise NotFound("There is no such model, or it is not yours to see.", remedy="Search the list of models.")
    require_project(viewer, permission, model.project)
    return model


def versions(viewer: User) -> QuerySet[ModelVersion]:
    """Versions of all models that the person may see, newest first."""
    found: QuerySet[ModelVersion] = ModelVersion.objects.select_related(
        "model__project__workspace", "environment_request__environment", "inspection"
    ).prefetch_related("aliases")
    return found.filter(model__project__in=visible_projects(viewer).order_by().values("pk")).order_by("-id")


def versions_of(model: RegisteredModel) -> QuerySet[ModelVersion]:
    """The versions of a model, newest first. The caller has required PROJECT_VIEW."""
    return (
        ModelVersion.objects.filter(model=model)
        .select_related("model__project__workspace", "environment_request__environment", "inspection")
        .prefetch_related("aliases")
        .order_by("-number")
    )


def get_version(viewer: User, version_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> ModelVersion:
    """A version in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    version = versions(viewer).filter(pk=version_id).first()
    if version is None:
        raise NotFound("There is no such model version, or it is not yours to see.", remedy="Open it from its model.")
    require_project(viewer, permission, version.model.project)
    return version


def files_of(version: ModelVersion) -> Manifest:
    """The snapshotted files, none while there is no snapshot. Raises Unavailable when the snapshot is damaged."""
    return load(blob_store(), version.manifest_digest) if version.manifest_digest else Manifest(())


def lineage_of(viewer: User, version: ModelVersion, *, ancestors_only: bool = False) -> lineage.Graph | None:
    """What the version came from and what came from it, as far as the person may see; None when nothing is recorded."""
    node = names.model_version(version.model.project_id, version.pk, str(version), version.manifest_digest)
    found = lineage.find(node.kind, node.namespace, node.name, node.version_digest, project_id=node.project_id)
    if found is None:
        return None
    visible = set(visible_projects(viewer).order_by().values_list("pk", flat=True))
    walk = lineage.ancestors if ancestors_only else lineage.around
    return walk(found.pk, visible_projects=visible)


def lineage_around(viewer: User, node_id: UUID) -> lineage.Graph:
    """The graph around a node of a project that the person may see. Raises NotFound."""
    visible = set(visible_projects(viewer).order_by().values_list("pk", flat=True))
    node = lineage.get_node(node_id, visible_projects=visible)
    if node.project_id is None and not visible:
        raise NotFound("There is no such lineage node.", remedy="Open it from the thing whose lineage you look at.")
    return lineage.around(node.pk, visible_projects=visible)


def inspected_by(workload_ids: Iterable[UUID]) -> dict[UUID, ModelVersion]:
    """The version that each of the workloads inspected. The caller may see them all, as auditors may."""
    found = ModelVersion.objects.filter(inspection__in=list(workload_ids)).select_related("model")
    return {each.inspection_id: each for each in found if each.inspection_id}
