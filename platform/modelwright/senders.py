"""Who sends a request, as far as that is known before its body is read. Part of the composition root: it knows every
kind of token."""

from __future__ import annotations

import base64
import binascii
from http.cookies import CookieError, SimpleCookie
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections
from django.http import HttpRequest

from models.batch.selectors import job_of_token
from modelwright.accounts.authentication import live_token
from modelwright.accounts.login_store import SessionStore
from sessions.selectors import session_of_token


async def is_known(scope: Any) -> bool:
    """Whether a live token or login comes with the request. What it may do there is decided later, by who answers."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    token = _token(headers.get(b"authorization", ""))
    found: bool = await sync_to_async(_is_token if token else _is_login)(token or headers.get(b"cookie", ""))
    return found


def _token(authorization: str) -> str:
    """The token that is sent as such, or as a password."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _is_token(token: str) -> bool:
    close_old_connections()
    return any(look_up(token) is not None for look_up in (live_token, session_of_token, job_of_token))


def _is_login(cookies: str) -> bool:
    try:
        login = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return False
    if login is None:
        return False
    close_old_connections()
    request = HttpRequest()
    request.session = SessionStore(login.value)
    return bool(get_user(request).is_authenticated)
