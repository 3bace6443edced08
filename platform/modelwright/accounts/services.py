"""Writes to people and their tokens."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.authentication import TOKEN_PREFIX
from modelwright.accounts.models import ApiToken, User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import new_token, token_digest
from modelwright.core.errors import Conflict, ValidationFailed


def _target(user: User) -> Target:
    return Target("user", user.id, user.username)


def _facts(user: User) -> dict[str, object]:
    return {
        "full_name": user.full_name,
        "email": user.email,
        "is_active": user.is_active,
        "is_site_admin": user.is_site_admin,
        "is_auditor": user.is_auditor,
    }


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except DjangoValidationError as error:
        raise ValidationFailed(" ".join(error.messages), remedy="Choose a longer password.", field="password") from None


@transaction.atomic
def create_user(
    *,
    username: str,
    password: str,
    full_name: str = "",
    email: str = "",
    is_site_admin: bool = False,
    is_auditor: bool = False,
    acting_user: Actor,
) -> User:
    """Add a person. Only site administrators may. Raises ValidationFailed, Conflict, PermissionRefused."""
    if not acting_user.is_system:
        require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    user = User(username=username, full_name=full_name, email=email, is_site_admin=is_site_admin, is_auditor=is_auditor)
    _check_password(password, user)
    user.set_password(password)
    try:
        user.clean_fields()
        with transaction.atomic():
            user.save(force_insert=True)
    except DjangoValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise ValidationFailed(" ".join(messages), field=field) from None
    except IntegrityError:
        raise Conflict(
            f"There is a person called {username!r} already.", remedy="Choose another name.", field="username"
        ) from None
    record(acting_user=acting_user, action=AuditAction.USER_CREATED, target=_target(user), after=_facts(user))
    return user


@transaction.atomic
def change_user(
    user: User,
    *,
    is_active: bool | None = None,
    is_site_admin: bool | None = None,
    is_auditor: bool | None = None,
    acting_user: Actor,
) -> User:
    """Change a person's site roles or activity. Raises Conflict rather than lose the last administrator."""
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    # All administrators are locked, so that two of them cannot remove each other at once.
    admins = set(
        User.objects.select_for_update().filter(is_site_admin=True, is_active=True).values_list("pk", flat=True)
    )
    user = User.objects.select_for_update().get(pk=user.pk)
    before = _facts(user)
    wanted = {"is_active": is_active, "is_site_admin": is_site_admin, "is_auditor": is_auditor}
    for name, value in wanted.items():
        if value is not None:
            setattr(user, name, value)
    if not (user.is_active and user.is_site_admin) and admins == {user.pk}:
        raise Conflict(
            f"{user.username} is the last active administrator.", remedy="Make another person administrator first."
        )
    user.save(update_fields=list(wanted))
    record(
        acting_user=acting_user,
        action=AuditAction.USER_CHANGED,
        target=_target(user),
        before=before,
        after=_facts(user),
    )
    return user


@transaction.atomic
def change_own_password(*, old: str, new: str, acting_user: Actor) -> None:
    """Change the acting person's password. Raises ValidationFailed."""
    user = acting_user.require_user()
    if not user.check_password(old):
        raise ValidationFailed("The present password is not right.", remedy="Type it again.", field="old")
    _check_password(new, user)
    user.set_password(new)
    user.save(update_fields=["password"])
    record(acting_user=acting_user, action=AuditAction.USER_PASSWORD_CHANGED, target=_target(user))


@transaction.atomic
def reset_password(user: User, *, new: str, acting_user: Actor) -> None:
    """Give a person another password, which ends their login sessions. Only site administrators may.

    Raises PermissionRefused, ValidationFailed.
    """
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    _check_password(new, user)
    user.set_password(new)
    user.save(update_fields=["password"])
    record(acting_user=acting_user, action=AuditAction.USER_PASSWORD_RESET, target=_target(user))


@transaction.atomic
def create_token(
    *, name: str, scope: str = ApiToken.Scope.FULL, expires_at: datetime | None = None, acting_user: Actor
) -> tuple[ApiToken, str]:
    """Make an API token for the acting person; return it and its text, which is never to be had again."""
    user = acting_user.require_user()
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationFailed("The token would have expired already.", remedy="Give a later time.", field="expires_at")
    text = new_token(TOKEN_PREFIX)
    token = ApiToken.objects.create(
        user=user, name=name, scope=scope, expires_at=expires_at, digest=token_digest(text), hint=text[:8]
    )
    record(
        acting_user=acting_user,
        action=AuditAction.TOKEN_CREATED,
        target=Target("token", token.id, name),
        after={"scope": scope, "expires_at": expires_at.isoformat() if expires_at else None},
    )
    return token, text


@transaction.atomic
def revoke_token(token: ApiToken, *, acting_user: Actor) -> None:
    """Make a token of the acting person useless from now on. Doing it twice is harmless."""
    if token.user_id != acting_user.require_user().pk:
        raise Conflict("This token belongs to someone else.")
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        record(acting_user=acting_user, action=AuditAction.TOKEN_REVOKED, target=Target("token", token.id, token.name))
