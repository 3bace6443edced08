"""REST: models, versions, aliases, lineage."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from lineage.selectors import Graph
from models.registry import selectors, services
from models.registry.models import ModelVersion
from models.registry.serializers import (
    AliasSerializer,
    GraphSerializer,
    ModelChangeSerializer,
    ModelSerializer,
    VersionDetailSerializer,
    VersionSerializer,
)
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema
from modelwright.core.errors import ValidationFailed
from modelwright.core.parameters import id_of
from projects.selectors import get_project

_FILTERS = [
    OpenApiParameter("project", {"type": "string", "format": "uuid"}, description="Only models of this project."),
    OpenApiParameter("q", str, description="Words to find in names, descriptions, algorithms and aliases."),
]


class ModelListView(PlatformAPIView):
    """Models of every project that one may see."""

    permissions = {"GET": SIGNED_IN}

    @paged_schema("Model", ModelSerializer, _FILTERS)
    def get(self, request: Request) -> Response:
        """List models."""
        user = current_user(request)
        project_id = id_of(request, "project", "a project")
        project = get_project(user, project_id) if project_id else None
        query = request.query_params.get("q", "").replace("\0", "")[:200]
        return self.paged(selectors.registered_models(user, query=query, project=project), ModelSerializer)


class ModelDetailView(PlatformAPIView):
    """A model."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PATCH": Permission.MODEL_EDIT}

    @extend_schema(responses=ModelSerializer)
    def get(self, request: Request, model_id: UUID) -> Response:
        """Answer one model."""
        return Response(ModelSerializer(selectors.get_model(current_user(request), model_id)).data)

    @extend_schema(request=ModelChangeSerializer, responses=ModelSerializer)
    def patch(self, request: Request, model_id: UUID) -> Response:
        """Change what people read about the model."""
        model = selectors.get_model(current_user(request), model_id, Permission.MODEL_EDIT)
        services.change_model(model, **self.parse(ModelChangeSerializer), acting_user=actor_of(request))
        return Response(ModelSerializer(model).data)


class ModelVersionListView(PlatformAPIView):
    """The versions of a model."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @paged_schema("ModelVersion", VersionSerializer)
    def get(self, request: Request, model_id: UUID) -> Response:
        """List the versions, newest first."""
        model = selectors.get_model(current_user(request), model_id)
        return self.paged(selectors.versions_of(model), VersionSerializer)


class ModelAliasView(PlatformAPIView):
    """An alias of a model."""

    permissions = {"PUT": Permission.MODEL_EDIT, "DELETE": Permission.MODEL_EDIT}

    @extend_schema(request=AliasSerializer, responses=AliasSerializer)
    def put(self, request: Request, model_id: UUID, alias: str) -> Response:
        """Point the alias to a version."""
        model = selectors.get_model(current_user(request), model_id, Permission.MODEL_EDIT)
        number = self.parse(AliasSerializer)["version"]
        version = selectors.versions_of(model).filter(number=number).first()
        if version is None:
            raise ValidationFailed(
                f"{model.name} has no version {number}.",
                remedy="Give the number of one of its versions.",
                field="version",
            )
        services.set_alias(model, name=alias, version=version, acting_user=actor_of(request))
        return Response({"version": number})

    @extend_schema(responses={204: None})
    def delete(self, request: Request, model_id: UUID, alias: str) -> Response:
        """Remove the alias."""
        model = selectors.get_model(current_user(request), model_id, Permission.MODEL_EDIT)
        services.remove_alias(model, name=alias, acting_user=actor_of(request))
        return Response(status=204)


class VersionDetailView(PlatformAPIView):
    """A version of a model."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=VersionDetailSerializer)
    def get(self, request: Request, version_id: UUID) -> Response:
        """Answer one version with its files and environment."""
        return Response(_detail(selectors.get_version(current_user(request), version_id)))


class VersionRetryView(PlatformAPIView):
    """Another try at a version that failed."""

    permissions = {"POST": Permission.MODEL_EDIT}

    @extend_schema(request=None, responses={202: VersionDetailSerializer})
    @idempotent
    def post(self, request: Request, version_id: UUID) -> Response:
        """Take the version over, or open it, again. 409 where it has not failed."""
        user = current_user(request)
        version = selectors.get_version(user, version_id, Permission.MODEL_EDIT)
        services.import_again(version, acting_user=actor_of(request))
        return Response(_detail(selectors.get_version(user, version_id)), status=202)


class VersionLineageView(PlatformAPIView):
    """What a version came from and what came from it."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=GraphSerializer)
    def get(self, request: Request, version_id: UUID) -> Response:
        """Answer the graph, as far as one may see."""
        user = current_user(request)
        graph = selectors.lineage_of(user, selectors.get_version(user, version_id))
        return _graph(graph)


class LineageNodeView(PlatformAPIView):
    """What any node of lineage came from and what came from it."""

    permissions = {"GET": SIGNED_IN}

    @extend_schema(responses=GraphSerializer)
    def get(self, request: Request, node_id: UUID) -> Response:
        """Answer the graph around the node, as far as one may see."""
        return _graph(selectors.lineage_around(current_user(request), node_id))


def _detail(version: ModelVersion) -> dict[str, object]:
    return VersionDetailSerializer(version, context={"manifest": selectors.files_of(version)}).data


def _graph(graph: Graph | None) -> Response:
    empty: dict[str, object] = {"start": None, "nodes": [], "edges": [], "truncated": False}
    return Response(GraphSerializer(graph).data if graph else empty)
