"""REST: what is different between two deployments of an endpoint."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints import selectors
from models.endpoints.diffing import differences
from models.endpoints.models import Deployment
from modelwright.accounts.api import current_user
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView
from modelwright.core.errors import NotFound
from projects.selectors import visible_projects


class DifferenceSerializer(serializers.Serializer[Any]):
    """One thing that is not the same; empty where one of the two does not have it."""

    what = serializers.CharField()
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)


class DifferenceSectionSerializer(serializers.Serializer[Any]):
    """A group of things; without rows they are the same in both."""

    name = serializers.CharField()
    rows = DifferenceSerializer(many=True)


class DeploymentDifferencesSerializer(serializers.Serializer[Any]):
    """Two deployments by number, and what is different between them."""

    before = serializers.IntegerField()
    after = serializers.IntegerField()
    sections = DifferenceSectionSerializer(many=True)


class DeploymentDifferencesView(PlatformAPIView):
    """What is different between two deployments."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=DeploymentDifferencesSerializer)
    def get(self, request: Request, deployment_id: UUID, other_id: UUID) -> Response:
        """Compare a deployment with another of the same endpoint: versions, weights, roles, routing, fallback, graph,
        and of the version that answers most parameters, metrics, signature, requirements and environment."""
        visible = visible_projects(current_user(request)).order_by().values("pk")
        found = Deployment.objects.filter(endpoint__project__in=visible, pk=deployment_id).select_related("endpoint")
        own = found.first()
        if own is None:
            raise NotFound("There is no such deployment, or it is not yours to see.", remedy="See the endpoint's list.")
        before, after = (selectors.get_deployment(own.endpoint, id_) for id_ in (deployment_id, other_id))
        facts = {"before": before.number, "after": after.number, "sections": differences(before, after)}
        return Response(DeploymentDifferencesSerializer(facts).data)
