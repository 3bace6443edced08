"""REST: predictions."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints.selectors import get_endpoint
from models.predictions import selectors
from models.predictions.serializers import (
    PredictionDetailSerializer,
    PredictionSerializer,
    ProvenanceRunSerializer,
    ProvenanceVersionSerializer,
)
from models.registry.serializers import NodeSerializer
from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed

_DEPLOYMENT = OpenApiParameter(
    "deployment", {"type": "string", "format": "uuid"}, description="Only what this deployment answered."
)


class PredictionListView(PlatformAPIView):
    """The predictions of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("Prediction", PredictionSerializer, [_DEPLOYMENT])
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List what was answered, newest first."""
        endpoint = get_endpoint(current_user(request), endpoint_id)
        deployment = None
        if given := request.query_params.get("deployment"):
            try:
                deployment = UUID(given)
            except ValueError:
                raise ValidationFailed(
                    f"`deployment` is {given[:60]!r}.", remedy="Give the id of a deployment.", field="deployment"
                ) from None
        return self.paged(selectors.predictions_of(endpoint, deployment=deployment), PredictionSerializer)


class PredictionDetailView(PlatformAPIView):
    """A prediction."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=PredictionDetailSerializer)
    def get(self, request: Request, prediction_id: UUID) -> Response:
        """Answer one prediction and what it came from."""
        user = current_user(request)
        prediction = selectors.get_prediction(user, prediction_id)
        found = selectors.provenance(user, prediction)
        return Response(
            {
                **PredictionSerializer(prediction).data,
                "version": ProvenanceVersionSerializer(found.version).data if found.version else None,
                "run": ProvenanceRunSerializer(found.run).data if found.run else None,
                "training_data": NodeSerializer(found.data, many=True).data,
            }
        )
