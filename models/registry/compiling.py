"""Writes to compiled models: what came of compiling a version, and another try."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from models.registry import transitions
from models.registry.models import CompiledModel, FormerCompiledModel, ModelVersion
from models.registry.services import audit, target_of
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.compute.services import request_environment
from modelwright.core.errors import Conflict, ValidationFailed
from modelwright.core.text import storable
from projects.selectors import authorize

# MLflow's flavours that hold pipelines of scikit-learn or boosted trees.
FLAVORS = ("sklearn", "xgboost", "lightgbm")
MAX_REASON = 4000


def qualifies(version: ModelVersion) -> bool:
    """Whether the version's flavour is one that is compiled at all."""
    return version.flavor in FLAVORS


@transaction.atomic
def conclude(compiled: CompiledModel, verdict: str, *, reason: str, acting_user: Actor, **facts: Any) -> bool:
    """Note the verdict: equal, different, impossible or failed. False when it was concluded before."""
    before = compiled.state
    reason = storable(reason)[:MAX_REASON]
    if not transitions.conclude(compiled, verdict, reason=reason, **facts):
        return False
    audit(
        AuditAction.MODEL_COMPILED,
        target_of(compiled.version),
        compiled.version.model.project,
        acting_user=acting_user,
        before={"compiled": before},
        after={"compiled": verdict, "manifest_digest": facts.get("manifest_digest", "")},
        reason=reason,
    )
    compiled.refresh_from_db()
    return True


@transaction.atomic
def compile_again(version: ModelVersion, *, acting_user: Actor) -> CompiledModel:
    """Have the version compiled, or compiled again, for a person with MODEL_EDIT.

    Where it is proved equal and what its replicas run in could not be built, that alone is tried again. Raises
    PermissionRefused, ValidationFailed for a flavour that is never compiled, Conflict while it is compiled,
    once it is proved equal, and for a version that is not ready.
    """
    role = authorize(acting_user, Permission.MODEL_EDIT, version.model.project)
    if not qualifies(version):
        raise ValidationFailed(
            f"{version} is of the flavour {version.flavor or 'unknown'}, which is not compiled.",
            remedy=f"Flavours that are: {', '.join(FLAVORS)}.",
        )
    if version.state != "ready":
        raise Conflict(f"{version} is not ready.", remedy="Wait until it is, or have it inspected again.")
    _, is_new = CompiledModel.objects.get_or_create(version=version)
    compiled = CompiledModel.objects.select_for_update(of=("self",)).get(version=version)
    before = None if is_new else compiled.state
    if compiled.state == "equal" and _build_again(compiled, acting_user):
        compiled.refresh_from_db()
    elif not is_new and not _begin_again(compiled):
        raise Conflict(
            f"{version} is {compiled.get_state_display().lower()}.", remedy="Reload the page to see how far it is."
        )
    compiled.refresh_from_db()
    audit(
        AuditAction.MODEL_COMPILATION_REQUESTED,
        target_of(version),
        version.model.project,
        acting_user=acting_user,
        role=role,
        before={"compiled": before},
        after={"compiled": compiled.state},
    )
    return compiled


def _begin_again(compiled: CompiledModel) -> bool:
    """What it was until now may have answered: that is kept, so that such a prediction can be made again and signed."""
    if not transitions.compile_again(compiled):
        return False
    if compiled.manifest_digest:
        facts = {"size": compiled.size, "environment_request": compiled.environment_request}
        FormerCompiledModel.objects.update_or_create(
            version=compiled.version, manifest_digest=compiled.manifest_digest, defaults=facts
        )
    return True


def _build_again(compiled: CompiledModel, acting_user: Actor) -> bool:
    """Have what its replicas run in built again where that failed. False where it did not."""
    request = compiled.environment_request
    if request is None or request.state != "failed":
        return False
    text, python = request.requirements, request.python_version
    compiled.environment_request = request_environment(requirements=text, python=python, acting_user=acting_user)
    compiled.save(update_fields=["environment_request"])
    return True
