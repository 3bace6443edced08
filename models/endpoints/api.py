"""REST: endpoints, deployments, rollbacks, keys."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from models.endpoints import scaling, selectors, services, sizes
from models.endpoints.awaiting import can_wait, wait_until_live
from models.endpoints.changing import change_endpoint
from models.endpoints.deploying import TargetRequest
from models.endpoints.estimating import estimates
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.serializers import (
    AnsweringSerializer,
    DeploymentCreateSerializer,
    DeploymentSerializer,
    EndpointChangeSerializer,
    EndpointCreateSerializer,
    EndpointDetailSerializer,
    EndpointSerializer,
    KeyCreateSerializer,
    KeySerializer,
    NewKeySerializer,
    ReplicaListSerializer,
    RollbackChoiceListSerializer,
    RollbackSerializer,
    StopSerializer,
)
from models.registry.models import ModelVersion
from models.registry.selectors import versions
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema
from modelwright.core.errors import NotFound, ValidationFailed
from projects.selectors import get_project, visible_projects

_QUERY = [OpenApiParameter("q", str, description="Words to find in names and descriptions.")]


class EndpointListView(PlatformAPIView):
    """Endpoints of every project that one may see."""

    permissions = {"GET": SIGNED_IN}

    @paged_schema("Endpoint", EndpointSerializer, _QUERY)
    def get(self, request: Request) -> Response:
        """List endpoints."""
        query = request.query_params.get("q", "").replace("\0", "")[:200]
        return self.paged(selectors.endpoints(current_user(request), query=query), EndpointSerializer)


class ProjectEndpointListView(PlatformAPIView):
    """The endpoints of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_DEPLOY}

    @paged_schema("ProjectEndpoint", EndpointSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        """List the endpoints."""
        user = current_user(request)
        return self.paged(selectors.endpoints(user, project=get_project(user, project_id)), EndpointSerializer)

    @extend_schema(request=EndpointCreateSerializer, responses={201: EndpointDetailSerializer})
    @idempotent
    def post(self, request: Request, project_id: UUID) -> Response:
        """Make an endpoint."""
        project = get_project(current_user(request), project_id, Permission.ENDPOINT_DEPLOY)
        endpoint = services.create_endpoint(
            project=project, **self.parse(EndpointCreateSerializer), acting_user=actor_of(request)
        )
        return Response(_detail(endpoint), status=201)


class EndpointDetailView(PlatformAPIView):
    """An endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW, "PATCH": Permission.ENDPOINT_MANAGE}

    @extend_schema(responses=EndpointDetailSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Answer one endpoint with what serves now."""
        return Response(_detail(selectors.get_endpoint(current_user(request), endpoint_id)))

    @extend_schema(request=EndpointChangeSerializer, responses=EndpointDetailSerializer)
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """Change how it answers, how long its predictions are kept, whose values never reach the record."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_MANAGE)
        changed = change_endpoint(endpoint, **self.parse(EndpointChangeSerializer), acting_user=actor_of(request))
        return Response(_detail(changed))


class EndpointReplicaListView(PlatformAPIView):
    """The replicas of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=ReplicaListSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List the replicas that run or are about to."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id)
        return Response(ReplicaListSerializer({"results": selectors.replicas_of(endpoint)}).data)


class DeploymentListView(PlatformAPIView):
    """The deployments of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_DEPLOY}

    @paged_schema("Deployment", DeploymentSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List the deployments, newest first."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id)
        return self.paged(selectors.deployments_of(endpoint), DeploymentSerializer)

    @extend_schema(request=DeploymentCreateSerializer, responses={201: DeploymentSerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Ask for a version to be served, or for several in their roles. What serves now goes on until all are ready:
        follow the deployment's state."""
        user, actor = current_user(request), actor_of(request)
        endpoint = selectors.get_endpoint(user, endpoint_id, Permission.ENDPOINT_DEPLOY)
        values = self.parse(DeploymentCreateSerializer)
        reason, several = values["reason"], values.get("targets")
        if (values["model_version"] is None) is not bool(several):
            raise ValidationFailed(
                "Either a version is served alone, or several are named.",
                remedy="Give model_version, or targets.",
                field="model_version",
            )
        if not several:
            version = _version(user, values["model_version"])
            return _made(endpoint, services.deploy(endpoint, model_version=version, reason=reason, acting_user=actor))
        deployment = services.request_deployment(
            endpoint,
            targets=[
                TargetRequest(_version(user, one["model_version"]), one["weight"], one["role"]) for one in several
            ],
            routing=values.get("routing"),
            fallback=values["fallback"],
            reason=reason,
            acting_user=actor,
        )
        return _made(endpoint, deployment)


def _version(user: User, version_id: UUID) -> ModelVersion:
    version: ModelVersion | None = versions(user).filter(pk=version_id).first()
    if version is None:
        raise ValidationFailed(
            f"There is no model version {version_id}.",
            remedy="Give the id of a version of the endpoint's project.",
            field="model_version",
        )
    return version


class RollbackView(PlatformAPIView):
    """Going back to what an endpoint served before."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_ROLLBACK}

    @extend_schema(responses=RollbackChoiceListSerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List what one may go back to, the latest first, with how long it would take from now."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id)
        found = estimates(endpoint, selectors.rollback_choices(endpoint))
        return Response(RollbackChoiceListSerializer({"results": found}).data)

    @extend_schema(request=RollbackSerializer, responses={201: DeploymentSerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Ask for what an earlier deployment served, the one before by default. Where that is warm, it serves already
        when the answer comes (`state` is `live`), unless an Idempotency-Key is given: then it does a moment later."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_ROLLBACK)
        values = self.parse(RollbackSerializer)
        to = _earlier(endpoint, values["deployment"]) if values["deployment"] else None
        deployment = services.rollback(
            endpoint,
            to=to,
            reason=values["reason"],
            is_emergency=values["emergency"],
            is_awaited=can_wait(),
            acting_user=actor_of(request),
        )
        wait_until_live(deployment)
        selectors.named_targets(deployment)  # Enough for the answer, and mostly at hand.
        return Response(DeploymentSerializer(deployment).data, status=201)


class StopView(PlatformAPIView):
    """Serving nothing any more."""

    permissions = {"POST": Permission.ENDPOINT_MANAGE}

    @extend_schema(request=StopSerializer, responses=EndpointDetailSerializer)
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Stop the endpoint. Stopping it twice is harmless; the next deployment starts it again."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_MANAGE)
        services.stop(endpoint, **self.parse(StopSerializer), acting_user=actor_of(request))
        return Response(_detail(endpoint))


class DeploymentDetailView(PlatformAPIView):
    """A deployment."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    @extend_schema(responses=DeploymentSerializer)
    def get(self, request: Request, deployment_id: UUID) -> Response:
        """Answer one deployment; its state says how far it is."""
        visible = visible_projects(current_user(request)).order_by().values("pk")
        found = Deployment.objects.filter(endpoint__project__in=visible, pk=deployment_id).select_related("endpoint")
        deployment = found.first()
        if deployment is None:
            raise NotFound("There is no such deployment, or it is not yours to see.", remedy="See the endpoint's list.")
        return Response(DeploymentSerializer(selectors.get_deployment(deployment.endpoint, deployment.pk)).data)


class KeyListView(PlatformAPIView):
    """The keys of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW, "POST": Permission.ENDPOINT_MANAGE}

    @paged_schema("EndpointKey", KeySerializer)
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List the keys, without their texts."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id)
        return self.paged(selectors.keys_of(endpoint), KeySerializer)

    @extend_schema(request=KeyCreateSerializer, responses={201: NewKeySerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Make a key. Its text is in this answer and never again."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_MANAGE)
        key, text = services.create_key(endpoint, **self.parse(KeyCreateSerializer), acting_user=actor_of(request))
        return Response({**KeySerializer(key).data, "key": text}, status=201)


class KeyDetailView(PlatformAPIView):
    """A key of an endpoint."""

    permissions = {"DELETE": Permission.ENDPOINT_MANAGE}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, endpoint_id: UUID, key_id: UUID) -> Response:
        """Revoke the key."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_MANAGE)
        services.revoke_key(selectors.get_key(endpoint, key_id), acting_user=actor_of(request))
        return Response(status=204)


def _detail(endpoint: Endpoint) -> dict[str, object]:
    """The endpoint's row and the deployments that its serializer looks for on it."""
    rows = {"live": selectors.live_deployment(endpoint), "under_way": selectors.under_way(endpoint)}
    shown = {name: DeploymentSerializer(row).data if row else None for name, row in rows.items()}
    names = ("serving_path", "retention_days", "redacted_columns", "wanted_replicas", *sizes.SHOWN, *scaling.FIELDS)
    changeable = {name: getattr(endpoint, name) for name in names}
    answering = (
        selectors.answering(endpoint, live, list(selectors.replicas_of(endpoint))) if (live := rows["live"]) else []
    )
    shown["answering"] = AnsweringSerializer(answering, many=True).data
    return {**EndpointSerializer(endpoint).data, **shown, **changeable}


def _made(endpoint: Endpoint, deployment: Deployment) -> Response:
    return Response(DeploymentSerializer(selectors.get_deployment(endpoint, deployment.pk)).data, status=201)


def _earlier(endpoint: Endpoint, deployment_id: UUID) -> Deployment:
    try:
        return selectors.get_deployment(endpoint, deployment_id)
    except NotFound as error:
        raise ValidationFailed(error.message, remedy=error.remedy, field="deployment") from None
