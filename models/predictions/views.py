"""Pages: the predictions of an endpoint, and one with all that it came from."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from lineage.drawing import draw
from models.endpoints.graph_drawing import drawing_of_prediction
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.endpoints.selectors import endpoints
from models.predictions import selectors
from models.predictions.evidence import evidence
from models.predictions.evidence_selectors import project_of
from models.predictions.feedback_forms import TruthForm
from models.predictions.models import Prediction
from models.predictions.search import Search, find
from models.registry.links import link_of
from models.registry.selectors import lineage_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from projects.navigation import project_crumbs

RECENT = 8


class RecentPredictionsView(EndpointPage):
    """The newest predictions, for the endpoint's page."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "predictions/_recent.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Answer the fragment."""
        endpoint = self.endpoint(request, endpoint_id)
        return self.page({"endpoint": endpoint, "rows": find(endpoint, Search(), limit=RECENT).rows})


class PredictionView(EndpointPage):
    """A prediction."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "predictions/prediction.html"

    def get(self, request: HttpRequest, prediction_id: UUID) -> HttpResponseBase:
        """Show it and what it came from."""
        return self.show(request, selectors.get_prediction(person_of(request), prediction_id))

    def show(
        self, request: HttpRequest, prediction: Prediction, *, form: TruthForm | None = None, status: int = 200
    ) -> HttpResponse:
        """Show it, what was said of it and whether it could be made again; `form` is what a person got wrong."""
        person = person_of(request)
        project = project_of(person, prediction)
        endpoint = endpoints(person).filter(pk=prediction.endpoint_id).first()
        found = selectors.provenance(person, prediction)
        graph = lineage_of(person, found.version, ancestors_only=True) if found.version else None
        data = [(node, link_of(node)) for node in found.data]
        context: dict[str, Any] = {"prediction": prediction, "endpoint": endpoint, "found": found, "data": data}
        context |= {**self.may(request, project), **evidence(prediction, found.version, form)}
        context["nodes_drawing"] = drawing_of_prediction(prediction.deployment_id, prediction.nodes)
        context["drawing"] = draw(graph, link_of=link_of) if graph else None
        own = (prediction.pk.hex, "")
        if endpoint is None:  # A batch job's.
            return self.page(context, crumbs=project_crumbs(project, own), status=status)
        all_of_them = ("Predictions", reverse("endpoint-predictions", args=[endpoint.pk]))
        return self.page(context, crumbs=endpoint_crumbs(endpoint, all_of_them, own), status=status)
