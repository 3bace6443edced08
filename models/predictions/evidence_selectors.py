"""What a person may see of predictions that were made again."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from models.predictions.models import Prediction, Reexecution
from modelwright.accounts.models import User
from modelwright.core.errors import NotFound
from projects.selectors import visible_projects


def reexecutions_of(prediction: Prediction) -> QuerySet[Reexecution]:
    """How often it was made again, newest first. The caller may see the prediction."""
    found = Reexecution.objects.filter(prediction_id=prediction.pk).select_related("workload")
    return found.defer("workload__spec", "workload__secrets").order_by("-id")


def get_reexecution(viewer: User, reexecution_id: UUID) -> Reexecution:
    """One of a project that the person may see. Raises NotFound."""
    visible = visible_projects(viewer).order_by().values("pk")
    found = Reexecution.objects.filter(pk=reexecution_id, project_id__in=visible).first()
    if found is None:
        raise NotFound("There is no such re-execution, or it is not yours to see.", remedy="See its prediction.")
    return found
