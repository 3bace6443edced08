"""REST: the traffic of an endpoint."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints.selectors import get_endpoint
from models.predictions.traffic import PERIODS, in_all, traffic
from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView
from modelwright.core.errors import ValidationFailed

_PERIOD = OpenApiParameter("period", str, enum=tuple(PERIODS), description="How far back; an hour if it is not said.")


class RateSerializer(serializers.Serializer[object]):
    """What an endpoint did within `seconds` from `at` on; latencies in ms are null where nothing was answered."""

    at = serializers.DateTimeField()
    seconds = serializers.FloatField()
    requests = serializers.IntegerField(source="count")
    records = serializers.IntegerField(source="rows")
    failed = serializers.IntegerField(source="errors", help_text="Requests that the model failed.")
    fallbacks = serializers.IntegerField(help_text="Requests that the fallback answered.")
    per_second = serializers.FloatField()
    failed_share = serializers.FloatField(source="error_share", allow_null=True)
    mean_ms = serializers.FloatField(allow_null=True)
    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)


class TrafficSerializer(serializers.Serializer[object]):
    """The steps of a period, and the period as one."""

    period = serializers.ChoiceField(choices=tuple(PERIODS))
    total = RateSerializer()
    steps = RateSerializer(many=True)


class TrafficView(PlatformAPIView):
    """Rate, latency and failures of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(parameters=[_PERIOD], responses=TrafficSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Answer requests, latency percentiles and failures over an hour, a day or a week.

        Counted are requests with a prediction on record, and those that the model failed; refused ones are not.
        """
        endpoint = get_endpoint(current_user(request), endpoint_id)
        period = PERIODS.get(request.query_params.get("period", "1h"))
        if period is None:
            raise ValidationFailed(
                "There is no such period.", remedy=f"Say one of {', '.join(PERIODS)}.", field="period"
            )
        found = {"period": period.name, "total": in_all(endpoint, period), "steps": traffic(endpoint, period)}
        return Response(TrafficSerializer(found).data)
