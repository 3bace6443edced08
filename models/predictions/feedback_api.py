"""REST: truth for predictions, and of what share of them it is known."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import IO, Any
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints.selectors import get_endpoint
from models.gateway.feedback_items import BadItem, read_item
from models.predictions.feedback_selectors import coverage, feedback_of, feedback_of_prediction
from models.predictions.feedback_serializers import (
    CoverageSerializer,
    FeedbackBatchSerializer,
    FeedbackBodySerializer,
    FeedbackGivenSerializer,
    FeedbackSerializer,
    TruthBodySerializer,
    TruthSerializer,
)
from models.predictions.feedback_services import Given, Placed, by_endpoint, by_prediction, errors_at, give, refuse
from models.predictions.feedback_table import MAX_BYTES, read_table
from models.predictions.selectors import get_prediction
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView, paged_schema
from modelwright.core.errors import FieldError, ValidationFailed
from modelwright.core.parameters import choice_of, id_of
from modelwright.core.parsers import PlainJSONParser

MAX_DAYS = 3660
_MATCHED = OpenApiParameter(
    "matched",
    {"type": "string", "enum": ["true", "false"]},
    description="Only what has a prediction on record, or not.",
)
_SOURCE = OpenApiParameter("source", {"type": "string", "enum": ["key", "person"]}, description="Only what such said.")
_PREDICTION = OpenApiParameter(
    "prediction", {"type": "string", "format": "uuid"}, description="Only what was said of this prediction."
)
_DAYS = OpenApiParameter(
    "days", {"type": "integer", "minimum": 1, "maximum": MAX_DAYS}, description="The last so many days; 30 by default."
)


class CsvParser(BaseParser):
    """A table as it is; `read_table` reads it."""

    media_type = "text/csv"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The bytes, up to one more than a table may have."""
        return stream.read(MAX_BYTES + 1)


class FeedbackListView(PlatformAPIView):
    """Truth for what an endpoint answered."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PREDICT}
    parser_classes = [PlainJSONParser, CsvParser]

    @paged_schema("Feedback", FeedbackSerializer, [_MATCHED, _SOURCE, _PREDICTION])
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List what was said, newest first. Of several for one record, the one with the latest `known_at` counts."""
        found = feedback_of(get_endpoint(current_user(request), endpoint_id))
        if matched := choice_of(request, "matched", ("true", "false")):
            found = found.filter(Q(matched=matched == "true"))
        if source := choice_of(request, "source", ("key", "person")):
            found = found.filter(source=source)
        if prediction_id := id_of(request, "prediction", "a prediction"):
            found = found.filter(prediction_id=prediction_id)
        return self.paged(found, FeedbackSerializer)

    @extend_schema(
        request={"application/json": FeedbackBatchSerializer, "text/csv": {"type": "string"}},
        responses={201: FeedbackGivenSerializer},
    )
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Say what turned out to be true, of up to 10,000 records at once, as JSON or as a CSV table: all is stored, or
        nothing, and then each row that is wrong is named. Truth for a prediction that is not on record is kept."""
        endpoint = get_endpoint(current_user(request), endpoint_id, Permission.PREDICT)
        data: Any = request.data
        if isinstance(data, bytes):
            placed = read_table(endpoint, data)
        else:
            placed = _placed(self.parse(FeedbackBodySerializer)["feedback"])
        return _stored(give(by_endpoint(endpoint), placed, acting_user=actor_of(request)))


class PredictionFeedbackListView(PlatformAPIView):
    """Truth for one prediction, of an endpoint or of a batch job."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.PREDICT}

    @paged_schema("PredictionFeedback", FeedbackSerializer)
    def get(self, request: Request, prediction_id: UUID) -> Response:
        """List what was said of it, newest first. Of several for one record, the latest `known_at` counts."""
        prediction = get_prediction(current_user(request), prediction_id)
        return self.paged(feedback_of_prediction(prediction), FeedbackSerializer)

    @extend_schema(request=TruthSerializer, responses={201: FeedbackGivenSerializer})
    @idempotent
    def post(self, request: Request, prediction_id: UUID) -> Response:
        """Say what turned out to be true of one of its records."""
        prediction = get_prediction(current_user(request), prediction_id)
        values = self.parse(TruthBodySerializer)
        placed = _placed([{**values, "prediction_id": prediction.pk.hex}], alone=True)
        return _stored(give(by_prediction(prediction), placed, acting_user=actor_of(request)))


class FeedbackCoverageView(PlatformAPIView):
    """Of what share of an endpoint's answers the truth is known."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[_DAYS], responses=CoverageSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Answer how many records were answered in a period, and of how many the truth is known."""
        endpoint = get_endpoint(current_user(request), endpoint_id)
        return Response(CoverageSerializer(coverage(endpoint, days=_days(request))).data)


def _stored(given: Given) -> Response:
    ids = [row.pk for row in given.rows]
    body = {"stored": len(ids), "unmatched": given.unmatched, "feedback_ids": ids}
    return Response(FeedbackGivenSerializer(body).data, status=201)


def _placed(values: list[Any], *, alone: bool = False) -> list[Placed]:
    placed: list[Placed] = []
    errors: list[FieldError] = []
    now = time.time()
    for index, value in enumerate(values):
        place = "" if alone else f"feedback[{index}]"
        try:
            placed.append(Placed(place, read_item(value, now=now)))
        except BadItem as bad:
            errors += errors_at(place, bad)
    if errors:
        raise refuse(errors)
    return placed


def _days(request: Request) -> int:
    text = request.query_params.get("days", "30")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_DAYS and len(text) <= 6):
        raise ValidationFailed(f"`days` is {text[:40]!r}.", remedy=f"Give a number from 1 to {MAX_DAYS}.", field="days")
    return int(text)
