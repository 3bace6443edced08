"""Going into a session or an application."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.audit.services import record
from modelwright.core.errors import PermissionRefused
from projects.selectors import authorize
from sessions.entering.models import Admission
from sessions.entering.places import Place
from sessions.entering.signing import login_digest, proof_of, sessions_key
from sessions.proxy.site import Site, site
from sessions.tickets import TICKET_SECONDS, Ticket, sign_ticket


def sessions_site() -> Site:
    """Where sessions and applications are."""
    return site(settings.SESSIONS_URL)


@transaction.atomic
def enter(place: Place, *, session_key: str | None, acting_user: Actor) -> str:
    """The address that lets the person in once, from the browser with this login.

    Raises what refuses them, and PermissionRefused for who has no login, as a program with a token.
    """
    if place.refusal is not None:
        raise place.refusal
    person = acting_user.user
    if not isinstance(person, User) or not session_key:
        raise PermissionRefused(
            "Only a person in a browser can enter.", remedy="Sign in on the pages and open it there."
        )
    login = login_digest(session_key)
    Admission.objects.update_or_create(
        login=login, defaults={"user": person, "session_key": session_key, "proof": proof_of(person)}
    )
    record(
        acting_user=acting_user,
        action=place.action,
        target=place.target,
        role=authorize(acting_user, Permission.PROJECT_VIEW, place.project),
        workspace_id=place.project.workspace_id,
        project_id=place.project.pk,
    )
    ticket = Ticket(place.key, str(person.pk), login, place.path, time.time() + TICKET_SECONDS)
    return f"{sessions_site().origin(place.key)}/_enter?{urlencode({'ticket': sign_ticket(sessions_key(), ticket)})}"
