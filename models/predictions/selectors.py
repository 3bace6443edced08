"""What a person may see of predictions: those of the endpoints that they may see; and what a prediction came from."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from jobs.models import Run
from lineage.kinds import NodeKind
from lineage.models import Node
from models.endpoints.models import Endpoint
from models.predictions.models import Prediction
from models.registry.models import ModelVersion
from models.registry.selectors import lineage_of
from modelwright.accounts.models import User
from modelwright.core.errors import NotFound
from projects.selectors import visible_projects

_DATA = (NodeKind.SOURCE, NodeKind.DATASET, NodeKind.FILE)


def predictions_of(endpoint: Endpoint, *, deployment: UUID | None = None) -> QuerySet[Prediction]:
    """The predictions of an endpoint, newest first. The caller has required PROJECT_VIEW."""
    found = Prediction.objects.filter(endpoint_id=endpoint.pk)
    if deployment is not None:
        found = found.filter(deployment_id=deployment)
    return found.order_by("-id")


def get_prediction(viewer: User, prediction_id: UUID) -> Prediction:
    """One prediction of a project that the person may see. Raises NotFound."""
    visible = visible_projects(viewer).order_by().values("pk")
    found = Prediction.objects.filter(pk=prediction_id, project_id__in=visible).first()
    if found is None:
        raise NotFound(
            "There is no such prediction on record, or it is not yours to see.",
            remedy="A prediction is on record a second or so after its answer; check the id in that answer.",
        )
    return found


@dataclass(frozen=True)
class Provenance:
    """What a prediction came from: the exact version, the run that trained it, the data that the run read."""

    version: ModelVersion | None
    run: Run | None
    data: tuple[Node, ...]


def provenance(viewer: User, prediction: Prediction) -> Provenance:
    """Follow a prediction back to its data, as far as the person may see."""
    version = (
        ModelVersion.objects.select_related("model__project__workspace").filter(pk=prediction.model_version_id).first()
    )
    if version is None or version.model.project_id != prediction.project_id:
        return Provenance(None, None, ())
    run: Run | None = None
    if version.source_run_id is not None:
        run = Run.objects.filter(pk=version.source_run_id, project=version.model.project).first()
    graph = lineage_of(viewer, version, ancestors_only=True)
    data = tuple(node for node in graph.nodes if node.kind in _DATA) if graph else ()
    return Provenance(version, run, data)
