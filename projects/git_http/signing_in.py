"""Who asks: an API token as Git sends it, as a password."""

from __future__ import annotations

import base64
import binascii

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from modelwright.accounts.authentication import live_token
from modelwright.accounts.models import ApiToken, User


class GitAuthentication(BaseAuthentication):
    """`Authorization: Basic` with any name and an API token as the password, or `Bearer` with the token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The owner and the token; None where nothing was sent, so that Git is asked for it."""
        scheme, _, value = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() not in ("basic", "bearer"):
            return None
        token = live_token(value.strip() if scheme.lower() == "bearer" else _password(value))
        if token is None:
            raise AuthenticationFailed(
                "The password is no live API token. Make one on your account's page and give it as the password."
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What Git needs to see to ask for a name and a password."""
        return 'Basic realm="modelwright", charset="UTF-8"'


def _password(value: str) -> str:
    try:
        said = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return said.partition(":")[2]
