"""Who acts: every service takes one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.http import HttpRequest

from modelwright.core.errors import PermissionRefused

if TYPE_CHECKING:
    from modelwright.accounts.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who acts, as audit rows keep it. `user` is None for the platform itself."""

    user: User | None
    kind: str
    name: str
    token_id: UUID | None = None
    request_id: str = ""
    address: str = ""

    @classmethod
    def system(cls, name: str) -> Actor:
        """The platform's own part called `name`, such as `watcher`."""
        return cls(user=None, kind="system", name=name)

    @classmethod
    def person(cls, user: User) -> Actor:
        """A person outside a request, as in commands and tests."""
        return cls(user=user, kind="user", name=user.username)

    @property
    def is_system(self) -> bool:
        """Whether the platform itself acts; its writes need no role."""
        return self.user is None

    @property
    def site_role(self) -> str:
        """The role over the whole installation, empty for none."""
        if self.user is None:
            return "system"
        return "site admin" if self.user.is_site_admin else "auditor" if self.user.is_auditor else ""

    def require_user(self) -> User:
        """Return the person. Raises PermissionRefused where only a person may act."""
        if self.user is None:
            raise PermissionRefused(
                f"Only a person may do this, and {self.name} is a part of the platform.",
                remedy="Sign in, or use a person's API token.",
            )
        return self.user


def actor_of(request: HttpRequest) -> Actor:
    """The actor of an authenticated page or API request."""
    token = getattr(request, "auth", None)
    user = request.user
    return Actor(
        user=user,  # type: ignore[arg-type]  # views refuse anonymous people before they ask for the actor
        kind="token" if token is not None else "user",
        name=user.get_username(),
        token_id=getattr(token, "id", None),
        request_id=str(request.META.get("modelwright.request_id", "")),
        address=str(request.META.get("REMOTE_ADDR", "")),
    )
