"""REST: the sizes that runs and replicas can ask for."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.actors import actor_of
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.compute import selectors, services
from modelwright.compute.serializers import ProfileChangeSerializer, ProfileCreateSerializer, ProfileSerializer
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema


class ProfileListView(PlatformAPIView):
    """Resource profiles."""

    permissions = {"GET": SIGNED_IN, "POST": Permission.SITE_MANAGE}

    @paged_schema("Profile", ProfileSerializer)
    def get(self, request: Request) -> Response:
        """List the sizes that runs and replicas can ask for."""
        return self.paged(selectors.profiles(), ProfileSerializer)

    @extend_schema(request=ProfileCreateSerializer, responses={201: ProfileSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Add a size."""
        profile = services.create_profile(**self.parse(ProfileCreateSerializer), acting_user=actor_of(request))
        return Response(ProfileSerializer(profile).data, status=201)


class ProfileDetailView(PlatformAPIView):
    """A resource profile."""

    permissions = {"GET": SIGNED_IN, "PATCH": Permission.SITE_MANAGE, "DELETE": Permission.SITE_MANAGE}

    @extend_schema(responses=ProfileSerializer)
    def get(self, request: Request, profile_id: UUID) -> Response:
        """Answer one size."""
        return Response(ProfileSerializer(selectors.profile_by_id(profile_id)).data)

    @extend_schema(request=ProfileChangeSerializer, responses=ProfileSerializer)
    def patch(self, request: Request, profile_id: UUID) -> Response:
        """Change a size for what is started from now on."""
        profile = selectors.profile_by_id(profile_id)
        changes = self.parse(ProfileChangeSerializer)
        changed = services.change_profile(profile, **changes, acting_user=actor_of(request))
        return Response(ProfileSerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, profile_id: UUID) -> Response:
        """Delete a size that no job asks for."""
        services.delete_profile(selectors.profile_by_id(profile_id), acting_user=actor_of(request))
        return Response(status=204)
