"""REST: people and tokens."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts import selectors, services
from modelwright.accounts.actors import actor_of
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.serializers import (
    NewTokenSerializer,
    TokenCreateSerializer,
    TokenSerializer,
    UserChangeSerializer,
    UserCreateSerializer,
    UserSerializer,
)
from modelwright.core.api import SIGNED_IN, PlatformAPIView, paged_schema


def current_user(request: Request) -> User:
    """The authenticated person of a REST request."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - DRF refuses anonymous requests before a view runs
    return user


class MeView(PlatformAPIView):
    """Who the token or session belongs to."""

    permissions = {"GET": SIGNED_IN}

    @extend_schema(operation_id="me", responses=UserSerializer)
    def get(self, request: Request) -> Response:
        """Answer the signed-in person."""
        return Response(UserSerializer(current_user(request)).data)


class UserListView(PlatformAPIView):
    """People."""

    permissions = {"GET": SIGNED_IN, "POST": Permission.SITE_MANAGE}

    @paged_schema("User", UserSerializer)
    def get(self, request: Request) -> Response:
        """List everyone for administrators and auditors, else oneself."""
        return self.paged(selectors.people(current_user(request)), UserSerializer)

    @extend_schema(request=UserCreateSerializer, responses={201: UserSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Add a person."""
        user = services.create_user(**self.parse(UserCreateSerializer), acting_user=actor_of(request))
        return Response(UserSerializer(user).data, status=201)


class UserDetailView(PlatformAPIView):
    """A person."""

    permissions = {"GET": SIGNED_IN, "PATCH": Permission.SITE_MANAGE}

    @extend_schema(responses=UserSerializer)
    def get(self, request: Request, user_id: UUID) -> Response:
        """Answer one person that the caller may see."""
        return Response(UserSerializer(get_object_or_404(selectors.people(current_user(request)), pk=user_id)).data)

    @extend_schema(request=UserChangeSerializer, responses=UserSerializer)
    def patch(self, request: Request, user_id: UUID) -> Response:
        """Change site roles or activity."""
        user = get_object_or_404(selectors.people(current_user(request)), pk=user_id)
        changed = services.change_user(user, **self.parse(UserChangeSerializer), acting_user=actor_of(request))
        return Response(UserSerializer(changed).data)


class TokenListView(PlatformAPIView):
    """One's own API tokens."""

    permissions = {"GET": SIGNED_IN, "POST": SIGNED_IN}

    @paged_schema("Token", TokenSerializer)
    def get(self, request: Request) -> Response:
        """List one's own tokens."""
        return self.paged(selectors.tokens_of(current_user(request)), TokenSerializer)

    @extend_schema(request=TokenCreateSerializer, responses={201: NewTokenSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Make a token. Its text is in this answer and never again."""
        token, text = services.create_token(**self.parse(TokenCreateSerializer), acting_user=actor_of(request))
        return Response({**TokenSerializer(token).data, "token": text}, status=201)


class TokenDetailView(PlatformAPIView):
    """One of one's own API tokens."""

    permissions = {"DELETE": SIGNED_IN}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, token_id: UUID) -> Response:
        """Revoke the token."""
        services.revoke_token(selectors.token_of(current_user(request), token_id), acting_user=actor_of(request))
        return Response(status=204)
