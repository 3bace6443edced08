"""What may be seen of people and their tokens."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from modelwright.accounts.models import ApiToken, User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound, PermissionRefused


def require_site(user: User, permission: Permission) -> None:
    """Raise PermissionRefused unless a site role gives `permission`."""
    allowed = user.is_site_admin or (permission == Permission.AUDIT_READ and user.is_auditor)
    if not allowed:
        role = "auditor or administrator" if permission == Permission.AUDIT_READ else "administrator"
        raise PermissionRefused(
            f"Only an {role} of this installation may do this.", remedy="Ask an administrator of the installation."
        )


def people(viewer: User) -> QuerySet[User]:
    """Every person for administrators and auditors, else the viewer alone."""
    if viewer.is_site_admin or viewer.is_auditor:
        return User.objects.order_by("username")
    return User.objects.filter(pk=viewer.pk)


def person_by_name(username: str) -> User:
    """Return the active person with this name, to give a role to. Raises NotFound."""
    user: User | None = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(f"There is no active person called {username!r}.", remedy="Check the name, or have them added.")
    return user


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The person's own tokens, revoked ones too."""
    return ApiToken.objects.filter(user=user).order_by("-id")


def token_of(user: User, token_id: UUID) -> ApiToken:
    """One of the person's own tokens. Raises NotFound."""
    token = tokens_of(user).filter(pk=token_id).first()
    if token is None:
        raise NotFound("You have no such API token.", remedy="See the list of your tokens on your profile.")
    return token
