"""What an endpoint's administrators may change of it: by which path it answers, how long its predictions are kept,
which columns never reach the record, how many replicas it has, and what it promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from models.endpoints import scaling, sizes
from models.endpoints.models import Endpoint
from models.endpoints.selectors import live_deployment
from models.endpoints.services import audit, endpoint_target
from models.endpoints.stages import check_change
from models.registry.mlmodel import served_signature
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import ValidationFailed
from projects.selectors import authorize

LONGEST_RETENTION_DAYS = 36_500
MAX_COLUMNS = 1000
MAX_COLUMN_NAME = 500
FIELDS = ("description", "stage", "serving_path", "retention_days", "redacted_columns", sizes.FIELD, *scaling.FIELDS)


@transaction.atomic
def change_endpoint(endpoint: Endpoint, *, acting_user: Actor, reason: str = "", **changes: Any) -> Endpoint:
    """Change what `changes` names of `FIELDS`; the gateway knows it with the next route table, within a second or so.

    `retention_days` None means the installation's default. Redaction holds from now on: what is on record already stays
    as it is. A `profile` holds for replicas that start from now on. Of its stage see `stages.check_change`. Raises
    ValidationFailed, QuotaExceeded, PermissionRefused, Conflict.
    """
    role = authorize(acting_user, Permission.ENDPOINT_MANAGE, endpoint.project)
    locked = Endpoint.objects.select_for_update(of=("self",)).select_related("project__workspace", "workspace")
    endpoint = locked.get(pk=endpoint.pk)
    wanted = sizes.check_profile(scaling.check_scaling(endpoint, _checked(changes)))
    before = {name: getattr(endpoint, name) for name in wanted if getattr(endpoint, name) != wanted[name]}
    if not before:
        return endpoint
    if "stage" in before:
        check_change(endpoint, wanted["stage"], reason=reason, acting_user=acting_user)
    for name in before:
        setattr(endpoint, name, wanted[name])
    endpoint.save(update_fields=list(before))
    audit(
        AuditAction.ENDPOINT_CHANGED,
        endpoint_target(endpoint),
        endpoint,
        acting_user=acting_user,
        role=role,
        before=before,
        after={name: wanted[name] for name in before},
        reason=reason,
    )
    return endpoint


def columns_of(endpoint: Endpoint) -> list[str]:
    """The input columns of what the endpoint serves, in their order, and those that are redacted besides."""
    live = live_deployment(endpoint)
    found: dict[str, None] = {}
    for target in live.targets.all() if live else ():
        signature = served_signature(target.model_version.signature)
        found |= {str(column["name"]): None for column in (signature["inputs"] if signature else ())}
    return list(found | {str(name): None for name in endpoint.redacted_columns})


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    unknown = changes.keys() - set(FIELDS)
    if unknown:
        raise ValidationFailed(f"An endpoint has no {', '.join(sorted(unknown))} that could be changed.")
    wanted = dict(changes)
    if "serving_path" in wanted and wanted["serving_path"] not in Endpoint.ServingPath.values:
        raise ValidationFailed(
            f"There is no path {wanted['serving_path']!r}.",
            remedy=f"Give one of {', '.join(Endpoint.ServingPath.values)}.",
            field="serving_path",
        )
    days = wanted.get("retention_days")
    if days is not None and not (isinstance(days, int) and 1 <= days <= LONGEST_RETENTION_DAYS):
        raise ValidationFailed(
            f"Predictions cannot be kept for {days} days.",
            remedy=f"Give whole days from 1 to {LONGEST_RETENTION_DAYS}, or nothing for the installation's default.",
            field="retention_days",
        )
    if "redacted_columns" in wanted:
        wanted["redacted_columns"] = _columns(wanted["redacted_columns"])
    return wanted


def _columns(names: Sequence[Any]) -> list[str]:
    found = sorted({str(name) for name in names})
    if len(found) > MAX_COLUMNS or any(len(name) > MAX_COLUMN_NAME for name in found):
        raise ValidationFailed(
            f"{len(found)} columns, or names of so many characters, are too many.",
            remedy=f"At most {MAX_COLUMNS} columns with at most {MAX_COLUMN_NAME} characters each can be redacted.",
            field="redacted_columns",
        )
    return found
