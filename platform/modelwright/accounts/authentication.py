"""DRF authentication by a person's API token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from modelwright.accounts.models import ApiToken, User
from modelwright.core.crypto import token_digest

TOKEN_PREFIX = "mwt"  # noqa: S105 - the public prefix that every token starts with
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_USE_RESOLUTION = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer mwt_…`. A token of scope `read` may only use safe methods."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return the owner and the token, or None where no Bearer token was sent."""
        scheme, _, value = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = live_token(value.strip())
        if token is None:
            raise AuthenticationFailed("The API token is unknown, expired or revoked.")
        if token.scope == ApiToken.Scope.READ and request.method not in _SAFE_METHODS:
            raise PermissionDenied("This API token may only read.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Make DRF answer 401 instead of 403."""
        return 'Bearer realm="modelwright"'


class TokenInSchema(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI schema names it. drf-spectacular finds the class by itself."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A Bearer token in the header."""
        return {"type": "http", "scheme": "bearer", "description": "A person's API token, `mwt_…`."}


def live_token(value: str) -> ApiToken | None:
    """Return the token that `value` is, if it is live, and note its use at a resolution of a minute."""
    now = timezone.now()
    tokens: Any = ApiToken.objects.select_related("user").filter(
        Q(expires_at=None) | Q(expires_at__gt=now), digest=token_digest(value), revoked_at=None, user__is_active=True
    )
    token: ApiToken | None = tokens.first()
    if token is not None and (token.last_used_at is None or now - token.last_used_at > _USE_RESOLUTION):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token
