"""REST: what workloads used, and what an hour costs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.compute import services
from modelwright.compute.metering import rates
from modelwright.compute.models import UsageRates
from modelwright.console.usage import Answer, Row, answer, ask
from modelwright.console.usage_names import GROUPINGS
from modelwright.core.api import SIGNED_IN, PlatformAPIView


class RatesSerializer(serializers.Serializer[Any]):
    """What an hour of a CPU, of a GiB of memory and of a GPU costs."""

    currency = serializers.CharField(max_length=8)
    cpu_hour = serializers.DecimalField(max_digits=12, decimal_places=6)
    gib_hour = serializers.DecimalField(max_digits=12, decimal_places=6)
    gpu_hour = serializers.DecimalField(max_digits=12, decimal_places=6)


class UsageRowSerializer(serializers.Serializer[Any]):
    """What one group used. `key` is empty for what belongs nowhere, or is not yours to see."""

    key = serializers.CharField(allow_blank=True)
    name = serializers.CharField()
    cpu_hours = serializers.FloatField()
    gib_hours = serializers.FloatField()
    gpu_hours = serializers.FloatField()
    hours = serializers.FloatField(help_text="How long the workloads had something reserved, added up.")
    workloads = serializers.IntegerField()
    cost = serializers.FloatField(allow_null=True, help_text="Null while no prices are set.")


class UsageSerializer(serializers.Serializer[Any]):
    """The answer to a question about usage."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    by = serializers.CharField()
    currency = serializers.CharField(allow_null=True)
    total = UsageRowSerializer()
    results = UsageRowSerializer(many=True)


_ID = {"type": "string", "format": "uuid"}
_PARAMETERS = [
    OpenApiParameter(
        "by", str, enum=list(GROUPINGS), description="What a row stands for; project where it is left out."
    ),
    OpenApiParameter("workspace", _ID, description="Only this workspace."),
    OpenApiParameter("project", _ID, description="Only this project."),
    OpenApiParameter("since", str, description="A date or ISO 8601 time; this month where it is left out."),
    OpenApiParameter("until", str, description="A date or ISO 8601 time; now where it is left out."),
]


@extend_schema(tags=["compute"])
class UsageView(PlatformAPIView):
    """Usage."""

    permissions = {"GET": SIGNED_IN}

    @extend_schema(operation_id="usage", parameters=_PARAMETERS, responses=UsageSerializer)
    def get(self, request: Request) -> Response:
        """Answer what workloads of your workspaces had reserved, in hours; of all workspaces for site roles."""
        viewer = current_user(request)
        return Response(UsageSerializer(_body(answer(viewer, ask(viewer, request.query_params)))).data)


@extend_schema(tags=["compute"])
class UsageRatesView(PlatformAPIView):
    """Prices of an hour."""

    permissions = {"GET": SIGNED_IN, "PUT": Permission.SITE_MANAGE}

    @extend_schema(operation_id="usage_rates", responses=RatesSerializer)
    def get(self, request: Request) -> Response:
        """Answer the prices; all zero while none are set."""
        return Response(RatesSerializer(rates() or UsageRates(currency="EUR", cpu_hour=0, gib_hour=0, gpu_hour=0)).data)

    @extend_schema(operation_id="usage_rates_set", request=RatesSerializer, responses=RatesSerializer)
    def put(self, request: Request) -> Response:
        """Set the prices. Costs are shown at them in past periods too."""
        values = self.parse(RatesSerializer)
        return Response(RatesSerializer(services.set_rates(**values, acting_user=actor_of(request))).data)


def _body(found: Answer) -> dict[str, Any]:
    return {
        "since": found.question.period.since,
        "until": found.question.period.until,
        "by": found.question.by,
        "currency": found.rates.currency if found.rates else None,
        "total": _row(found.total),
        "results": [_row(row) for row in found.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    used = row.usage
    return {
        "key": row.key,
        "name": row.name.label,
        "cpu_hours": used.cpu_hours,
        "gib_hours": used.gib_hours,
        "gpu_hours": used.gpu_hours,
        "hours": used.hours,
        "workloads": used.workloads,
        "cost": row.cost,
    }
