"""Who speaks with the token of a session."""

from __future__ import annotations

import base64
import binascii
from uuid import UUID

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from jobs.tracking.allowlist import Access
from jobs.tracking.identity import Identity, NotAuthenticated, granted_to
from jobs.tracking.tags import USER_TAG
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from sessions.models import Session
from sessions.selectors import session_of_token

SESSION_TAG = "modelwright.session_id"


class SessionAuthentication(BaseAuthentication):
    """`Authorization: Bearer mws_…`, or as the password of Basic. `request.auth` is the session that still runs."""

    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        """The owner and the session; None where nothing was sent."""
        scheme, _, value = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() not in ("basic", "bearer"):
            return None
        session = session_of_token(value.strip() if scheme.lower() == "bearer" else _password(value))
        if session is None:
            raise AuthenticationFailed("The token is of no session that still runs.")
        return session.owner, session

    def authenticate_header(self, request: Request) -> str:
        """Make DRF answer 401 instead of 403."""
        return 'Bearer realm="modelwright session"'


def actor_of_session(session: Session, address: str = "") -> Actor:
    """The owner, as their session acts for them."""
    return Actor(user=session.owner, kind="token", name=session.owner.username, address=address)


def tracking_identity(token: str, project_id: str) -> Identity:
    """What the token of a session may do at the tracking address: what its owner may in the project now.

    Raises NotAuthenticated.
    """
    session = session_of_token(token)
    if session is None or (project_id and _id(project_id) != session.project_id):
        raise NotAuthenticated(
            "The session's token is not valid: it dies when its session ends.",
            remedy="Log from within a session, or use your own API token.",
        )
    granted: frozenset[Access] = granted_to(session.owner, session.project)
    stamp = {USER_TAG: session.owner.username, SESSION_TAG: str(session.pk)}
    return Identity(session.project.mlflow_workspace, granted, stamp)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _password(value: str) -> str:
    try:
        said = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return said.partition(":")[2]
