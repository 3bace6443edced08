"""REST: retiring an endpoint, and copying a deployment for testing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints import selectors
from models.endpoints.copying import copy_for_testing
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.retiring import held_for, retire
from models.endpoints.serializers import EndpointSerializer, StopSerializer
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView
from modelwright.core.errors import NotFound
from projects.selectors import require_project, visible_projects


class HeldSerializer(serializers.Serializer[Any]):
    """What replicas hold."""

    replicas = serializers.IntegerField()
    cpu = serializers.FloatField()
    memory_bytes = serializers.IntegerField()
    gpus = serializers.IntegerField()


class RetirementSerializer(serializers.Serializer[Any]):
    """What retiring an endpoint gives back, and what of it is still held until its replicas have ended."""

    given_back = HeldSerializer()
    still_held = HeldSerializer()


class CopySerializer(serializers.Serializer[Endpoint]):
    """How the copy is to be called."""

    name = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=63, help_text="`<endpoint>-test-<number>` if left out."
    )


class RetirementView(PlatformAPIView):
    """Serving nothing any more, and holding nothing for it."""

    permissions = {"POST": Permission.ENDPOINT_MANAGE}

    @extend_schema(request=StopSerializer, responses=RetirementSerializer)
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Retire the endpoint. Record, deployments and artifacts stay; a deployment or rollback brings it back.
        Retiring it twice is harmless and gives back nothing more."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_MANAGE)
        held = retire(endpoint, **self.parse(StopSerializer), acting_user=actor_of(request))
        return Response({"given_back": asdict(held), "still_held": asdict(held_for(endpoint))})


class DeploymentCopyView(PlatformAPIView):
    """Another endpoint that serves what a deployment served, for testing."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    @extend_schema(request=CopySerializer, responses={201: EndpointSerializer})
    @idempotent
    def post(self, request: Request, deployment_id: UUID) -> Response:
        """Make an endpoint in the stage lab, beside the one of the deployment, and deploy the same to it."""
        visible = visible_projects(current_user(request)).order_by().values("pk")
        found = Deployment.objects.filter(endpoint__project__in=visible, pk=deployment_id)
        deployment = found.select_related("endpoint__project__workspace", "endpoint__workspace").first()
        if deployment is None:
            raise NotFound("There is no such deployment, or it is not yours to see.", remedy="See the endpoint's list.")
        require_project(current_user(request), Permission.ENDPOINT_DEPLOY, deployment.endpoint.project)
        made = copy_for_testing(deployment, **self.parse(CopySerializer), acting_user=actor_of(request))
        return Response(EndpointSerializer(made).data, status=201)
