"""Writes that let machines join as hosts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import database_roles, redis_users, transitions
from modelwright.compute.labels import check_labels
from modelwright.compute.models import Host, JoinToken
from modelwright.compute.reachable import Addresses, addresses, with_role
from modelwright.core.crypto import new_token, token_digest
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed

JOIN_TOKEN_PREFIX = "mwj"  # noqa: S105 - the public prefix that every such token starts with
LIFETIME = timedelta(hours=1)
HOST_NAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class Joined:
    """A host that has joined, and all that it needs to work: whoever holds this can do what the platform can."""

    host: Host
    addresses: Addresses
    secret_key: str = field(repr=False)


@transaction.atomic
def create_join_token(*, labels: Mapping[str, str] | None = None, acting_user: Actor) -> tuple[JoinToken, str]:
    """A token with which one machine may join within an hour; returns it and its text, never to be had again.

    The host gets `labels`. Site administrators only. Raises PermissionRefused, ValidationFailed, and Conflict where
    no other machine could reach this installation.
    """
    maker = acting_user.require_user()
    require_site(maker, Permission.SITE_MANAGE)
    given = check_labels(labels or {})
    addresses()
    text = new_token(JOIN_TOKEN_PREFIX)
    token = JoinToken.objects.create(
        token_digest=token_digest(text),
        created_by=acting_user.name,
        maker=maker,
        labels=given,
        expires_at=timezone.now() + LIFETIME,
    )
    record(
        acting_user=acting_user,
        action=AuditAction.JOIN_TOKEN_CREATED,
        target=_token_target(token),
        after={"labels": given, "expires_at": token.expires_at.isoformat()},
    )
    return token, text


@transaction.atomic
def revoke_join_token(token: JoinToken, *, acting_user: Actor) -> JoinToken:
    """Nobody can join with it any more. Doing it twice is harmless. Site administrators only.

    Raises PermissionRefused, and Conflict when a machine has joined with it: that one is removed instead.
    """
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    if JoinToken.objects.filter(pk=token.pk, used_at=None, revoked_at=None).update(revoked_at=timezone.now()):
        record(acting_user=acting_user, action=AuditAction.JOIN_TOKEN_REVOKED, target=_token_target(token))
    token = JoinToken.objects.select_related("host").get(pk=token.pk)
    if token.used_at is not None:
        name = token.host.name if token.host else "A host"
        raise Conflict(f"{name} has joined with it already.", remedy="Remove that host if it should not be here.")
    return token


@transaction.atomic
def join(
    *, token: str, name: str, backend: str = Host.Backend.PROCESS, address: str = "", caller: Actor | None = None
) -> Joined:
    """Enters a machine as the host `name` and returns what it needs. The token is the permission, and good for once.

    A removed host may join again under its name. `caller` says where the request came from, for the audit row, whose
    actor is the token's maker. Nothing is used up when it fails. Raises PermissionRefused (one answer for every token
    that is not good; it holds 256 random bits, so there is nothing to guess), ValidationFailed, Conflict, Unavailable.
    """
    used = JoinToken.objects.filter(
        token_digest=token_digest(token), used_at=None, revoked_at=None, expires_at__gt=timezone.now()
    )
    if not used.update(used_at=timezone.now()):
        raise PermissionRefused(
            "This token lets nobody join: it is unknown, used, revoked or older than an hour.",
            remedy="Have an administrator make a new one on the hosts page.",
        )
    row = JoinToken.objects.select_related("maker").get(token_digest=token_digest(token))
    if row.maker is None or not row.maker.is_active or not row.maker.is_site_admin:
        raise PermissionRefused(
            f"{row.created_by}, who made this token, is no administrator any more.",
            remedy="Have an administrator make a new one on the hosts page.",
        )
    host = _enter(name, backend, address, row)
    reach = _with_access_of_its_own(host, addresses())
    JoinToken.objects.filter(pk=row.pk).update(host=host)
    actor = Actor.person(row.maker)
    if caller is not None:
        actor = replace(actor, kind="join token", request_id=caller.request_id, address=caller.address)
    record(
        acting_user=actor,
        action=AuditAction.HOST_JOINED,
        target=Target("host", host.pk, host.name),
        after={"backend": backend, "address": address, "labels": host.labels, "token": str(row.pk)},
    )
    return Joined(host, reach, settings.SECRET_KEY)


def _with_access_of_its_own(host: Host, reach: Addresses) -> Addresses:
    """The addresses with the host's own role and user, where this installation can make them."""
    own = f"modelwright_host_{host.pk.hex}"
    if database_roles.can_make():
        host.database_role = own
        reach = replace(reach, database_url=with_role(reach.database_url, own, database_roles.make(own)))
    host.redis_user, host.redis_digest = "", ""
    if redis_users.can_make():
        made = redis_users.make(own, host.name)
        host.redis_user, host.redis_digest = own, made.digest
        reach = replace(reach, redis_url=with_role(reach.redis_url, own, made.password))
    host.save(update_fields=["database_role", "redis_user", "redis_digest"])
    return reach


def _enter(name: str, backend: str, address: str, token: JoinToken) -> Host:
    """The host's row: a new one, or that of a removed host. It has no room until it announces itself."""
    if not HOST_NAME.match(name):
        raise ValidationFailed(
            f"{name[:80]!r} is no name for a host.", remedy="Use letters, digits, dots and hyphens.", field="name"
        )
    if backend not in Host.Backend.values:
        raise ValidationFailed(
            f"{backend[:40]!r} is no way to run workloads on a host.",
            remedy="Use process, docker or swarm.",
            field="backend",
        )
    facts = {
        "backend": backend,
        "address": address,
        "labels": token.labels,
        "drained": False,
        "heartbeat_at": timezone.now(),
    }
    host, is_new = Host.objects.select_for_update().get_or_create(
        name=name, defaults={"cpu": 0, "memory_bytes": 0, **facts}
    )
    if not is_new and not transitions.rejoin_host(host, **facts):
        raise Conflict(
            f"There is a host called {name} already, and it is {host.state}.",
            remedy="Give this machine another name with --name, or remove the old host first.",
            field="name",
        )
    host.refresh_from_db()
    return host


def _token_target(token: JoinToken) -> Target:
    return Target("join token", token.pk, str(token))
