"""Writes to the sizes that runs and replicas can ask for. Site administrators only."""

from __future__ import annotations

from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import ProtectedError

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute.labels import check_labels
from modelwright.compute.models import ResourceProfile
from modelwright.core.errors import Conflict, ValidationFailed
from modelwright.core.saving import insert, update

LEAST_CPU, MOST_CPU = 0.1, 10_000.0
LEAST_MEMORY_BYTES, MOST_MEMORY_BYTES = 64 * 1024**2, 2**50
MOST_GPUS = 1024


class ProfileChanges(TypedDict, total=False):
    """What may be changed of a size. Runs that were started keep what they asked for."""

    description: str
    cpu: float
    memory_bytes: int
    gpus: int
    labels: dict[str, str]


@transaction.atomic
def create_profile(*, name: str, acting_user: Actor, **values: Unpack[ProfileChanges]) -> ResourceProfile:
    """Adds a size. Raises ValidationFailed, Conflict when there is one of that name, PermissionRefused."""
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    profile = ResourceProfile(name=name, **_checked(values))
    insert(profile, taken=f"There is a size called {name!r} already.")
    record(acting_user=acting_user, action=AuditAction.PROFILE_CREATED, target=_target(profile), after=_facts(profile))
    return profile


@transaction.atomic
def change_profile(
    profile: ResourceProfile, *, acting_user: Actor, **changes: Unpack[ProfileChanges]
) -> ResourceProfile:
    """Changes the size for what is started from now on. Raises ValidationFailed, PermissionRefused."""
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    profile = ResourceProfile.objects.select_for_update().get(pk=profile.pk)
    before = _facts(profile)
    for name, value in _checked(changes).items():
        setattr(profile, name, value)
    if _facts(profile) == before:
        return profile
    update(profile, list(changes))
    record(
        acting_user=acting_user,
        action=AuditAction.PROFILE_CHANGED,
        target=_target(profile),
        before=before,
        after=_facts(profile),
    )
    return profile


@transaction.atomic
def delete_profile(profile: ResourceProfile, *, acting_user: Actor) -> None:
    """Deletes a size that nothing asks for. Raises Conflict while a job does, PermissionRefused."""
    require_site(acting_user.require_user(), Permission.SITE_MANAGE)
    target, before = _target(profile), _facts(profile)
    try:
        profile.delete()
    except ProtectedError as error:
        users = sorted(str(each) for each in error.protected_objects)
        more = f" and {len(users) - 3} more" if len(users) > 3 else ""
        raise Conflict(
            f"The size {profile.name} is in use by {', '.join(users[:3])}{more}.",
            remedy="Give these another size first.",
        ) from None
    record(acting_user=acting_user, action=AuditAction.PROFILE_DELETED, target=target, before=before)


def _checked(values: ProfileChanges) -> ProfileChanges:
    cpu, memory, gpus = (
        values.get("cpu", LEAST_CPU),
        values.get("memory_bytes", LEAST_MEMORY_BYTES),
        values.get("gpus", 0),
    )
    # Written so that NaN is out of bounds.
    if not LEAST_CPU <= cpu <= MOST_CPU:
        raise ValidationFailed(
            f"A size cannot have {cpu} CPUs.", remedy=f"Give {LEAST_CPU:g} to {MOST_CPU:g}.", field="cpu"
        )
    if not LEAST_MEMORY_BYTES <= memory <= MOST_MEMORY_BYTES:
        raise ValidationFailed(
            f"A size cannot have {memory} bytes of memory.", remedy="Give at least 64 MiB.", field="memory_bytes"
        )
    if not 0 <= gpus <= MOST_GPUS:
        raise ValidationFailed(f"A size cannot have {gpus} GPUs.", remedy=f"Give 0 to {MOST_GPUS}.", field="gpus")
    if "labels" in values:
        return {**values, "labels": check_labels(values["labels"])}
    return values


def _target(profile: ResourceProfile) -> Target:
    return Target("profile", profile.pk, profile.name)


def _facts(profile: ResourceProfile) -> dict[str, object]:
    names = ("name", "description", "cpu", "memory_bytes", "gpus", "labels")
    return {name: getattr(profile, name) for name in names}
