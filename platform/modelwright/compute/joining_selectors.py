"""What may be seen of tokens to join with, and of what a host's removal would do."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Case, CharField, QuerySet, Value, When
from django.db.models.functions import Now

from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.compute.models import Host, JoinToken, Workload
from modelwright.compute.states import LIVE_ON_HOST
from modelwright.core.errors import NotFound

TOKEN_STATES = (("open", "Open"), ("used", "Used"), ("revoked", "Revoked"), ("expired", "Expired"))


def join_tokens(viewer: User) -> QuerySet[JoinToken]:
    """All tokens to join with, newest first, each with its `state` (see `TOKEN_STATES`). Site administrators only."""
    require_site(viewer, Permission.SITE_MANAGE)
    state = Case(
        When(used_at__isnull=False, then=Value("used")),
        When(revoked_at__isnull=False, then=Value("revoked")),
        When(expires_at__lte=Now(), then=Value("expired")),
        default=Value("open"),
        output_field=CharField(),
    )
    return JoinToken.objects.select_related("host").annotate(state=state).order_by("-id")


def join_token(viewer: User, token_id: UUID) -> JoinToken:
    """Raises NotFound, and PermissionRefused unless the viewer is a site administrator."""
    found = join_tokens(viewer).filter(pk=token_id).first()
    if found is None:
        raise NotFound("There is no such token to join with.", remedy="See the list of tokens.")
    return found


def live_on(viewer: User, host: Host) -> QuerySet[Workload]:
    """What is placed or runs on the host, oldest first. Site administrators only."""
    require_site(viewer, Permission.SITE_MANAGE)
    return Workload.objects.filter(host=host, state__in=LIVE_ON_HOST).order_by("placed_at")
