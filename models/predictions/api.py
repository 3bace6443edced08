"""REST: predictions."""

from __future__ import annotations

from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints.models import Endpoint
from models.endpoints.selectors import get_endpoint
from models.predictions import selectors
from models.predictions.conditions import OPERATORS
from models.predictions.exporting import export, streamed
from models.predictions.search import FAILED, PROTOCOLS, ROLES, SCAN, Cursor, Search, find, read
from models.predictions.serializers import (
    PredictionDetailSerializer,
    PredictionSerializer,
    ProvenanceRunSerializer,
    ProvenanceVersionSerializer,
)
from models.registry.serializers import NodeSerializer
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView
from modelwright.core.exports import FORMATS
from modelwright.core.pagination import address_of, cursor_of, limit_of

_SEARCH = [
    OpenApiParameter("id", str, description="Only this one."),
    OpenApiParameter("since", str, description="Received at or after this day (UTC) or time."),
    OpenApiParameter("until", str, description="Received on or before this day, or before this time."),
    OpenApiParameter("deployment", str, description="Only what this deployment answered: its id or number."),
    OpenApiParameter("version", int, description="Only what the model version of this number answered."),
    OpenApiParameter("status", str, enum=("answered", *FAILED), description="How it ended."),
    OpenApiParameter("protocol", str, enum=PROTOCOLS, description="What the client spoke."),
    OpenApiParameter("role", str, enum=ROLES, description="In which role; `fallback` is all that one answered."),
    OpenApiParameter("key", str, description="Words in the name of the key."),
    OpenApiParameter("column", str, description="An input column whose value is compared."),
    OpenApiParameter("op", str, enum=tuple(OPERATORS), description="How it is compared."),
    OpenApiParameter("value", str, description="With what, typed by the signature."),
]
_PAGE = inline_serializer(
    "PredictionPage",
    {
        "results": PredictionSerializer(many=True),
        "next": serializers.URLField(allow_null=True),
        "previous": serializers.URLField(allow_null=True),
        "looked_back_to": serializers.DateTimeField(
            allow_null=True,
            help_text=f"Set where the search stopped because it had looked at {SCAN} predictions: follow `next`.",
        ),
    },
)
_NAMES = tuple(parameter.name for parameter in _SEARCH)
_PAGING = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 500}, description="Rows a page."),
    OpenApiParameter("cursor", str, description="From `next` or `previous`."),
]


def _search(request: Request, endpoint: Endpoint) -> Search:
    search, problems = read(endpoint, request.query_params)
    if problems:
        raise problems[0]
    return search


class PredictionListView(PlatformAPIView):
    """The predictions of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[*_PAGING, *_SEARCH], responses={200: _PAGE})
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Find what was answered or failed, newest first.

        Time, deployment and failures are found by index. Among what they leave, the rest is looked for in the newest
        20,000 predictions; follow `next` to look further back.
        """
        endpoint = get_endpoint(current_user(request), endpoint_id)
        cursor = cursor_of(request)
        begin = Cursor(cursor[1], cursor[0] == "after") if cursor else None
        found = find(endpoint, _search(request, endpoint), cursor=begin, limit=limit_of(request))
        return Response(
            {
                "results": PredictionSerializer(found.rows, many=True).data,
                "next": address_of(request, f"before:{found.older.id}") if found.older else None,
                "previous": address_of(request, f"after:{found.newer.id}") if found.newer else None,
                "looked_back_to": found.looked_back_to,
            }
        )


class PredictionExportView(PlatformAPIView):
    """The predictions of an endpoint as a file."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(
        parameters=[OpenApiParameter("as", str, enum=tuple(FORMATS), description="CSV or JSON lines."), *_SEARCH],
        responses={(200, "text/csv"): str, (200, "application/x-ndjson"): str},
    )
    def get(self, request: Request, endpoint_id: UUID) -> StreamingHttpResponse:
        """Stream what a search finds, newest first: at most 100,000 predictions. The audit log has who took it."""
        endpoint = get_endpoint(current_user(request), endpoint_id)
        search = _search(request, endpoint)
        form = request.query_params.get("as", "csv")
        asked = {name: request.query_params[name] for name in _NAMES if request.query_params.get(name)}
        exported = export(endpoint, search, form, asked, acting_user=actor_of(request))
        return streamed(request._request, exported, endpoint)


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
