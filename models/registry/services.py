"""Writes to models, versions and aliases."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction

from jobs.models import Run
from jobs.tracking.aliases import is_protected
from lineage import names
from lineage.kinds import EdgeKind, Origin
from lineage.services import EdgeSpec, NodeSpec
from lineage.services import add as add_lineage
from models.registry import tracking_aliases, transitions
from models.registry.models import ModelAlias, ModelVersion, RegisteredModel
from models.registry.snapshots import Snapshot
from models.registry.sources import Source
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.errors import Conflict, ValidationFailed
from projects.models import Project
from projects.selectors import authorize

MAX_ALIAS = 255
# As MLflow has it: what it would not read as an alias nobody could use.
_ALIAS = re.compile(r"[\w-]+")
_RESERVED_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)
_TAKEN_OVER = [
    *("source_run_id", "mlflow_run_id", "mlflow_model_id", "metrics", "parameters"),
    *("manifest_digest", "artifact_digest", "size", "flavor", "signature", "python_version", "requirements", "example"),
]


def audit(
    action: AuditAction,
    target: Target,
    project: Project,
    *,
    acting_user: Actor,
    role: str = "",
    **facts: Any,
) -> None:
    """An audit row for something of the project."""
    record(
        acting_user=acting_user,
        action=action,
        target=target,
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.pk,
        **facts,
    )


def target_of(version: ModelVersion) -> Target:
    """The version as an audit row names it."""
    return Target("model version", version.pk, str(version))


@transaction.atomic
def register(
    *,
    project: Project,
    name: str,
    number: int,
    source: str,
    description: str = "",
    registered_by: User | None = None,
    acting_user: Actor,
) -> ModelVersion:
    """The version with this number, made when it is not there yet. Doing it twice gives the same one.

    MLflow has let it in already and says who may; this takes it over.
    """
    model, is_new = RegisteredModel.objects.get_or_create(project=project, name=name)
    if is_new:
        audit(
            AuditAction.MODEL_REGISTERED,
            Target("model", model.pk, model.name),
            project,
            acting_user=acting_user,
            after={"name": name},
        )
    version, is_new = ModelVersion.objects.get_or_create(
        model=model,
        number=number,
        defaults={"source": source[:500], "description": description, "registered_by": registered_by},
    )
    if is_new:
        audit(
            AuditAction.MODEL_VERSION_CREATED,
            target_of(version),
            project,
            acting_user=acting_user,
            after={
                "number": number,
                "source": source[:500],
                "registered_by": registered_by.username if registered_by else None,
            },
        )
    return version


@transaction.atomic
def describe(version: ModelVersion, *, description: str, acting_user: Actor) -> None:
    """Take over a description that was changed in MLflow."""
    if version.description == description:
        return
    before, version.description = version.description, description
    version.save(update_fields=["description"])
    audit(
        AuditAction.MODEL_CHANGED,
        target_of(version),
        version.model.project,
        acting_user=acting_user,
        before={"description": before},
        after={"description": description},
    )


@transaction.atomic
def take_over(version: ModelVersion, *, source: Source, snapshot: Snapshot, acting_user: Actor) -> ModelVersion:
    """Note what the snapshot holds and what it came from; the version is still importing."""
    described = snapshot.described
    version.source_run_id = source.run_id
    version.mlflow_run_id = source.mlflow_run_id
    version.mlflow_model_id = source.mlflow_model_id
    version.metrics = source.metrics
    version.parameters = source.parameters
    version.manifest_digest = snapshot.manifest_digest
    version.artifact_digest = snapshot.artifact_digest
    version.size = snapshot.manifest.size
    version.flavor = described.flavor
    version.signature = described.signature
    version.python_version = described.python_version
    version.requirements = snapshot.requirements
    version.example = snapshot.example
    version.save(update_fields=_TAKEN_OVER)
    _record_lineage(version, source)
    audit(
        AuditAction.MODEL_CHANGED,
        target_of(version),
        version.model.project,
        acting_user=acting_user,
        after={
            "manifest_digest": version.manifest_digest,
            "artifact_digest": version.artifact_digest,
            "size": version.size,
            "source_run_id": str(source.run_id) if source.run_id else None,
        },
    )
    return version


def _record_lineage(version: ModelVersion, source: Source) -> None:
    project_id = version.model.project_id
    node = names.model_version(project_id, version.pk, str(version), version.manifest_digest)
    run = _run_node(version, source)
    if run is None:
        add_lineage([node])
        return
    data = [
        names.tracked_dataset(project_id, item.name, item.digest, source=item.source, context=item.context)
        for item in source.datasets
    ]
    edges = [EdgeSpec(item, run, EdgeKind.READ, source.run_id, Origin.DECLARED) for item in data]
    add_lineage(edges=[*edges, EdgeSpec(run, node, EdgeKind.TRAINED, source.run_id, Origin.OBSERVED)])


def _run_node(version: ModelVersion, source: Source) -> NodeSpec | None:
    project_id = version.model.project_id
    if source.run_id is not None:
        run = Run.objects.filter(pk=source.run_id, project=project_id).first()
        if run is not None:
            return names.run(project_id, run.pk, str(run))
    title = source.run_name or source.mlflow_run_id
    return names.tracked_run(project_id, source.mlflow_run_id, title) if source.mlflow_run_id else None


@transaction.atomic
def refuse(version: ModelVersion, *, reason: str, acting_user: Actor) -> None:
    """The version is not the project's to register: nothing of its source is taken over."""
    if transitions.refuse(version, detail=reason):
        audit(
            AuditAction.MODEL_REFUSED,
            target_of(version),
            version.model.project,
            acting_user=acting_user,
            before={"state": "importing"},
            after={"state": "refused", "source": version.source},
            reason=reason,
        )


@transaction.atomic
def fail(version: ModelVersion, *, reason: str, acting_user: Actor) -> None:
    """The version's files could not be taken over or opened."""
    if transitions.fail(version, detail=reason):
        audit(
            AuditAction.MODEL_CHANGED,
            target_of(version),
            version.model.project,
            acting_user=acting_user,
            before={"state": "importing"},
            after={"state": "failed"},
            reason=reason,
        )


@transaction.atomic
def inspected(version: ModelVersion, *, algorithm: dict[str, Any], summary: str, acting_user: Actor) -> None:
    """The version was opened in its own environment: it may be deployed."""
    if transitions.make_ready(version, algorithm=algorithm, algorithm_name=summary[:255]):
        audit(
            AuditAction.MODEL_VERSION_INSPECTED,
            target_of(version),
            version.model.project,
            acting_user=acting_user,
            before={"state": "importing"},
            after={"state": "ready", "algorithm": summary[:255]},
        )


@transaction.atomic
def import_again(version: ModelVersion, *, acting_user: Actor) -> None:
    """Try again what failed, for a person with MODEL_EDIT. Raises Conflict when it has not failed."""
    role = authorize(acting_user, Permission.MODEL_EDIT, version.model.project)
    if not transitions.retry(version):
        raise Conflict(f"{version} has not failed.", remedy="Reload the page to see its state.")
    audit(
        AuditAction.MODEL_CHANGED,
        target_of(version),
        version.model.project,
        acting_user=acting_user,
        role=role,
        before={"state": "failed"},
        after={"state": "importing"},
    )


@transaction.atomic
def change_model(model: RegisteredModel, *, description: str, acting_user: Actor) -> RegisteredModel:
    """Change what people read about the model. Raises PermissionRefused."""
    role = authorize(acting_user, Permission.MODEL_EDIT, model.project)
    before, model.description = model.description, description
    model.save(update_fields=["description"])
    audit(
        AuditAction.MODEL_CHANGED,
        Target("model", model.pk, model.name),
        model.project,
        acting_user=acting_user,
        role=role,
        before={"description": before},
        after={"description": description},
    )
    return model


@transaction.atomic
def set_alias(model: RegisteredModel, *, name: str, version: ModelVersion, acting_user: Actor) -> ModelAlias:
    """Point the alias to the version. Raises PermissionRefused, ValidationFailed.

    Conflict for a refused version, and for an alias that is a stage's: `set_stage` sets these.
    """
    role = authorize(acting_user, Permission.MODEL_EDIT, model.project)
    _refuse_stage(name)
    if not acting_user.is_system:
        _check_alias(name)
    if version.model_id != model.pk:
        raise ValidationFailed(
            f"{version} is no version of {model.name}.", remedy="Choose one of its versions.", field="version"
        )
    if version.state == "refused":
        raise Conflict(f"{version} was refused.", remedy="Choose a version that is ready.")
    RegisteredModel.objects.select_for_update().get(pk=model.pk)
    alias = ModelAlias.objects.filter(model=model, name=name).select_related("version").first()
    before = alias.version.number if alias else None
    if alias is not None and alias.version_id == version.pk:
        return alias
    alias = alias or ModelAlias(model=model, name=name)
    alias.version = version
    alias.save()
    if not acting_user.is_system:
        tracking_aliases.set_alias(model.project.mlflow_workspace, model.name, name, version.number)
    audit(
        AuditAction.MODEL_ALIAS_SET,
        Target("model alias", alias.pk, f"{model.name}@{name}"),
        model.project,
        acting_user=acting_user,
        role=role,
        before={"version": before},
        after={"version": version.number},
    )
    return alias


@transaction.atomic
def set_stage(model: RegisteredModel, *, stage: str, version: ModelVersion | None, acting_user: Actor) -> None:
    """Point a stage's alias to the version, here and in MLflow; None removes it.

    The caller has decided that it may be so. Raises Unavailable while MLflow's database does not answer.
    """
    RegisteredModel.objects.select_for_update().get(pk=model.pk)
    alias = ModelAlias.objects.filter(model=model, name=stage).select_related("version").first()
    before, after = alias.version.number if alias else None, version.number if version else None
    if before == after:
        return
    alias = alias or ModelAlias(model=model, name=stage)
    target = Target("model alias", alias.pk, f"{model.name}@{stage}")
    if version is None:
        alias.delete()
        tracking_aliases.remove_alias(model.project.mlflow_workspace, model.name, stage)
    else:
        alias.version = version
        alias.save()
        tracking_aliases.set_alias(model.project.mlflow_workspace, model.name, stage, version.number)
    audit(
        AuditAction.MODEL_ALIAS_SET,
        target,
        model.project,
        acting_user=acting_user,
        before={"version": before},
        after={"version": after},
    )


def _refuse_stage(name: str) -> None:
    if is_protected(name):
        raise Conflict(
            f"The alias {name[:50]!r} is a stage's: only an approval sets it.",
            remedy="Ask on the version's approval page that it be approved for the stage, or use another alias.",
            field="alias",
        )


def _check_alias(name: str) -> None:
    """What comes from MLflow has been checked there."""
    if len(name) > MAX_ALIAS or not _ALIAS.fullmatch(name):
        raise ValidationFailed(
            f"{name[:50]!r} is no name for an alias.",
            remedy=f"Use 1 to {MAX_ALIAS} letters, digits, hyphens and underscores, such as champion.",
            field="alias",
        )
    if _RESERVED_ALIAS.fullmatch(name):
        raise ValidationFailed(
            f"MLflow keeps {name!r} for versions themselves and reads it as no alias.",
            remedy="Choose another name, such as champion.",
            field="alias",
        )


@transaction.atomic
def remove_alias(model: RegisteredModel, *, name: str, acting_user: Actor) -> None:
    """Remove the alias. Raises PermissionRefused; Conflict for a stage's. One that is not there is left alone."""
    role = authorize(acting_user, Permission.MODEL_EDIT, model.project)
    _refuse_stage(name)
    alias = ModelAlias.objects.select_for_update(of=("self",)).filter(model=model, name=name).first()
    if alias is None:
        return
    before = alias.version.number
    target = Target("model alias", alias.pk, f"{model.name}@{name}")
    alias.delete()
    if not acting_user.is_system:
        tracking_aliases.remove_alias(model.project.mlflow_workspace, model.name, name)
    audit(
        AuditAction.MODEL_ALIAS_SET,
        target,
        model.project,
        acting_user=acting_user,
        role=role,
        before={"version": before},
        after={"version": None},
    )
