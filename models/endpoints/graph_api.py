"""REST: the inference graphs of a project's file, and deploying one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints import selectors
from models.endpoints.graphs import declared, deploy_graph
from models.endpoints.models import Deployment
from models.endpoints.serializers import DeploymentSerializer
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView
from projects.selectors import get_project


class GraphProblemSerializer(serializers.Serializer[Any]):
    """One thing wrong with a graph."""

    field = serializers.CharField()
    message = serializers.CharField()
    remedy = serializers.CharField()


class DeclaredGraphSerializer(serializers.Serializer[Any]):
    """A graph of the project's file. `graph` is as a deployment would have it now, null where there are problems."""

    name = serializers.CharField()
    commit = serializers.CharField(allow_blank=True)
    graph = serializers.JSONField(allow_null=True)
    problems = GraphProblemSerializer(many=True)


class DeclaredGraphsSerializer(serializers.Serializer[Any]):
    """The graphs of a project."""

    results = DeclaredGraphSerializer(many=True)


class GraphDeploymentCreateSerializer(serializers.Serializer[Deployment]):
    """A graph to serve."""

    graph = serializers.CharField(max_length=63, help_text="Its name in the project's file.")
    commit = serializers.CharField(required=False, allow_blank=True, default="", max_length=64)
    versions = serializers.DictField(
        child=serializers.IntegerField(min_value=1),
        required=False,
        default=dict,
        help_text="Numbers of versions by node; others have what the file says, else the newest that is ready.",
    )
    fallback = serializers.JSONField(required=False, allow_null=True, default=None, help_text="See docs/rollouts.md.")
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)

    def validate_fallback(self, value: Any) -> Any:
        """An object, or nothing."""
        if value is not None and not isinstance(value, dict):
            raise serializers.ValidationError("A fallback is an object.")
        return value


class ProjectGraphsView(PlatformAPIView):
    """The inference graphs that a project's file declares."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=DeclaredGraphsSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List those of the newest commit, with the versions each would have, or what is wrong with it."""
        project = get_project(current_user(request), project_id)
        results = []
        for each in declared(project):
            error, resolved = each.error, each.resolved
            problems = [
                {"field": one.field, "message": one.message, "remedy": one.remedy}
                for one in (error.errors if error else ())
            ]
            if error is not None and not problems:
                problems = [{"field": each.name, "message": error.message, "remedy": error.remedy}]
            results.append(
                {
                    "name": each.name,
                    "commit": resolved.commit if resolved else "",
                    "graph": resolved.data if resolved else None,
                    "problems": problems,
                }
            )
        return Response(DeclaredGraphsSerializer({"results": results}).data)


class GraphDeploymentView(PlatformAPIView):
    """Deploying an inference graph."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    @extend_schema(request=GraphDeploymentCreateSerializer, responses={201: DeploymentSerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Ask for a graph to be served. What serves now goes on until all of its versions are ready."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_DEPLOY)
        values = self.parse(GraphDeploymentCreateSerializer)
        made = deploy_graph(
            endpoint,
            name=values["graph"],
            commit=values["commit"] or None,
            versions=values["versions"],
            fallback=values["fallback"],
            reason=values["reason"],
            acting_user=actor_of(request),
        )
        return Response(DeploymentSerializer(selectors.get_deployment(endpoint, made.pk)).data, status=201)
