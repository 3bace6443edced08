"""What a person may see of predictions that were made again."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from models.predictions.models import Prediction, Reexecution
from models.registry.models import ModelVersion
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.models import Project
from projects.selectors import get_project, visible_projects

# Of predictions whose endpoint was not known when they were stored.
NO_PROJECT = UUID(int=0)


def project_of(viewer: User, prediction: Prediction, permission: Permission = Permission.PROJECT_VIEW) -> Project:
    """The project of a prediction, in which the person holds `permission`. Raises NotFound, PermissionRefused."""
    return get_project(viewer, prediction.project_id or NO_PROJECT, permission)


def reexecutions_of(prediction: Prediction) -> QuerySet[Reexecution]:
    """How often it was made again, newest first. The caller may see the prediction."""
    found = Reexecution.objects.filter(prediction_id=prediction.pk).select_related("workload")
    return found.defer("workload__spec", "workload__secrets").order_by("-id")


def asked_again_by(workload_ids: Iterable[UUID]) -> dict[UUID, ModelVersion]:
    """The version that each of the workloads asked again. The caller may see them all, as auditors may."""
    made = Reexecution.objects.filter(workload__in=list(workload_ids)).values_list("workload_id", "model_version_id")
    asked = dict(made)
    versions = ModelVersion.objects.select_related("model").in_bulk(set(asked.values()))
    return {workload: versions[version] for workload, version in asked.items() if version in versions}


def get_reexecution(viewer: User, reexecution_id: UUID) -> Reexecution:
    """One of a project that the person may see. Raises NotFound."""
    visible = visible_projects(viewer).order_by().values("pk")
    found = Reexecution.objects.filter(pk=reexecution_id, project_id__in=visible).first()
    if found is None:
        raise NotFound("There is no such re-execution, or it is not yours to see.", remedy="See its prediction.")
    return found
