"""Writes to endpoints: what should be. The reconciler makes it so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from models.endpoints import transitions
from models.endpoints.declared import declared_fallback, explained
from models.endpoints.deploying import TargetRequest, check_version, checked
from models.endpoints.hints import hint
from models.endpoints.keys import INTERNAL_NAME, KEY_PREFIX, internal_key
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint, EndpointKey
from models.endpoints.selectors import live_and_way_back, live_deployment, named_targets, under_way
from models.endpoints.stages import require_allowed, require_served_rightly
from models.endpoints.states import EndpointState
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import new_token, token_digest
from modelwright.core.errors import Conflict, ValidationFailed
from projects.models import Project
from projects.selectors import authorize


def audit(
    action: AuditAction, target: Target, endpoint: Endpoint, *, acting_user: Actor, role: str = "", **facts: Any
) -> None:
    """An audit row for something of the endpoint."""
    record(
        acting_user=acting_user,
        action=action,
        target=target,
        role=role,
        workspace_id=endpoint.workspace_id,
        project_id=endpoint.project_id,
        **facts,
    )


def endpoint_target(endpoint: Endpoint) -> Target:
    """The endpoint as an audit row names it."""
    return Target("endpoint", endpoint.pk, endpoint.path)


def deployment_target(deployment: Deployment) -> Target:
    """The deployment as an audit row names it."""
    return Target("deployment", deployment.pk, f"{deployment.endpoint.path} #{deployment.number}")


@transaction.atomic
def create_endpoint(*, project: Project, name: str, description: str = "", acting_user: Actor) -> Endpoint:
    """Make an endpoint without anything to serve yet. Raises ValidationFailed, Conflict, PermissionRefused."""
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, project)
    endpoint = Endpoint(project=project, workspace=project.workspace, name=name, description=description)
    try:
        endpoint.clean_fields()
        with transaction.atomic():
            endpoint.save(force_insert=True)
    except DjangoValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise ValidationFailed(" ".join(messages), field=field) from None
    except IntegrityError:
        raise Conflict(
            f"The workspace {project.workspace.name} has an endpoint called {name!r} already.",
            remedy="Choose another name: it is part of the address.",
            field="name",
        ) from None
    EndpointKey.objects.create(
        endpoint=endpoint,
        name=INTERNAL_NAME,
        digest=token_digest(internal_key(endpoint.pk)),
        hint="",
        is_internal=True,
        created_by="modelwright",
    )
    audit(
        AuditAction.ENDPOINT_CREATED,
        endpoint_target(endpoint),
        endpoint,
        acting_user=acting_user,
        role=role,
        after={"name": name, "description": description},
    )
    return endpoint


@transaction.atomic
def deploy(
    endpoint: Endpoint,
    *,
    model_version: ModelVersion,
    reason: str = "",
    acting_user: Actor,
) -> Deployment:
    """Ask for the version to be served alone, with the fallback that the project's file declares for the endpoint;
    what serves now goes on until it is ready.

    Raises PermissionRefused, ValidationFailed for another project's version or a fallback that is none, Conflict for
    a version that is not ready.
    """
    authorize(acting_user, Permission.ENDPOINT_DEPLOY, endpoint.project)
    check_version(endpoint, model_version)
    declared = declared_fallback(endpoint, model_version)
    try:
        return request_deployment(
            endpoint,
            targets=[TargetRequest(model_version), *declared.targets],
            fallback=declared.data,
            reason=reason,
            acting_user=acting_user,
        )
    except ValidationFailed as error:
        raise explained(error, endpoint, declared) from None


@transaction.atomic
def request_deployment(
    endpoint: Endpoint,
    *,
    targets: Sequence[TargetRequest],
    routing: Mapping[str, Any] | None = None,
    fallback: Mapping[str, Any] | None = None,
    graph: Mapping[str, Any] | None = None,
    evidence: Mapping[str, Any] | None = None,
    rollout_id: UUID | None = None,
    kind: str = Deployment.Kind.DEPLOY,
    reason: str = "",
    acting_user: Actor,
) -> Deployment:
    """Ask for exactly this to be served (docs/rollouts.md says what each part means); what serves now goes on until all
    of it is ready. A step of a rollout is one, too.

    Raises PermissionRefused, ValidationFailed for what cannot be deployed, Conflict for a version that is not ready, or
    not approved for the endpoint's stage.
    """
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, endpoint.project)
    may_stand_by = kind == Deployment.Kind.STEP
    wanted = checked(
        endpoint, targets=targets, routing=routing, fallback=fallback, graph=graph, may_stand_by=may_stand_by
    )
    # Once the endpoint's row is locked, so that its stage stays as it is until the deployment stands.
    locked = _locked(endpoint)
    require_allowed(locked, wanted.targets, graph=wanted.graph, fallback=wanted.fallback)
    deployment, made = _new_deployment(
        locked,
        wanted.targets,
        acting_user=acting_user,
        reason=reason,
        kind=kind,
        routing=wanted.routing,
        fallback=wanted.fallback,
        graph=wanted.graph,
        evidence=dict(evidence or {}),
        rollout_id=rollout_id,
    )
    hint(endpoint.pk)
    live = live_deployment(endpoint)
    _record_deployment(deployment, made, live, AuditAction.DEPLOYMENT_CREATED, acting_user, role)
    return deployment


@transaction.atomic
def rollback(
    endpoint: Endpoint,
    *,
    to: Deployment | None = None,
    reason: str,
    evidence: Mapping[str, Any] | None = None,
    rollout_id: UUID | None = None,
    is_emergency: bool = False,
    is_awaited: bool = False,
    acting_user: Actor,
) -> Deployment:
    """Ask for what an earlier deployment served, by default the latest one before the live one (before all of its
    rollout where it is a step). Going back to the live one calls off what is on its way. One of an emergency is told
    so in the audit log. Who waits for it to serve (`is_awaited`) brings that about: nobody else is told.

    Raises PermissionRefused, ValidationFailed without a reason, Conflict when there is nothing to go back to.
    """
    role = authorize(acting_user, Permission.ENDPOINT_ROLLBACK, endpoint.project)
    if not reason.strip():
        raise ValidationFailed(
            "A rollback needs a reason.", remedy="Say in a sentence why, for those who read it later.", field="reason"
        )
    locked = _locked(endpoint)
    live, back = live_and_way_back(endpoint)
    to = to or back
    if to is None:
        raise Conflict(
            f"{endpoint.name} has served nothing else before.", remedy="Deploy another version instead.", field="to"
        )
    _check_repeatable(endpoint, to, live)
    targets = named_targets(to)
    if not acting_user.is_system:
        require_served_rightly(locked, to, targets, is_emergency=is_emergency)
    deployment, made = _new_deployment(
        locked,
        targets,
        acting_user=acting_user,
        reason=reason,
        kind=Deployment.Kind.ROLLBACK,
        repeats=to,
        routing=to.routing,
        fallback=to.fallback,
        graph=to.graph,
        evidence=dict(evidence or {}),
        rollout_id=rollout_id,
        is_emergency=is_emergency,
    )
    if not is_awaited:
        hint(endpoint.pk)
    action = AuditAction.ROLLBACK_EMERGENCY if is_emergency else AuditAction.ROLLBACK_REQUESTED
    _record_deployment(deployment, made, live, action, acting_user, role)
    return deployment


def _check_repeatable(endpoint: Endpoint, to: Deployment, live: Deployment | None) -> None:
    if to.endpoint_id != endpoint.pk:
        raise ValidationFailed(f"{endpoint.name} has no such deployment.", field="to")
    if to.live_at is None:
        raise Conflict(
            f"Deployment {to.number} never served.", remedy="Choose one that did, or deploy its version.", field="to"
        )
    if live is not None and live.pk == to.pk and under_way(endpoint) is None:
        raise Conflict(f"Deployment {to.number} is what serves now.", remedy="Choose an earlier one.", field="to")


def _locked(endpoint: Endpoint) -> Endpoint:
    """The endpoint with state and stage as they are and stay until the transaction ends. One after the other, so that
    numbers have no gaps, no two are the newest, and what is live stays so."""
    endpoint.refresh_from_db(fields=["state", "stage"], from_queryset=Endpoint.objects.select_for_update())
    return endpoint


def _new_deployment(
    locked: Endpoint,
    targets: Iterable[TargetRequest | DeploymentTarget],
    *,
    acting_user: Actor,
    reason: str,
    **facts: Any,
) -> tuple[Deployment, list[DeploymentTarget]]:
    """Of a locked endpoint, which answers again from now on; and its targets."""
    if locked.state != EndpointState.ACTIVE and transitions.activate(locked):
        locked.refresh_from_db(fields=["state"])
    newest = Deployment.objects.filter(endpoint=locked).order_by("-number").values_list("number", flat=True).first()
    deployment: Deployment = Deployment.objects.create(
        endpoint=locked,
        number=(newest or 0) + 1,
        actor=acting_user.user,
        actor_name=acting_user.name,
        reason=reason.strip(),
        stage=locked.stage,
        **facts,
    )
    made = DeploymentTarget.objects.bulk_create(
        DeploymentTarget(deployment=deployment, model_version=one.model_version, weight=one.weight, role=one.role)
        for one in targets
    )
    return deployment, made


def _record_deployment(
    deployment: Deployment,
    made: Sequence[DeploymentTarget],
    live: Deployment | None,
    action: AuditAction,
    acting_user: Actor,
    role: str,
) -> None:
    audit(
        action,
        deployment_target(deployment),
        deployment.endpoint,
        acting_user=acting_user,
        role=role,
        before=facts_of(live) if live else None,
        after=facts_of(deployment, made),
        reason=deployment.reason,
    )


def facts_of(deployment: Deployment, targets: Iterable[DeploymentTarget] | None = None) -> dict[str, Any]:
    """What a deployment serves, for audit rows. Its targets are read unless they are at hand."""
    found = named_targets(deployment) if targets is None else targets
    return {
        "number": deployment.number,
        "kind": deployment.kind,
        "repeats": deployment.repeats.number if deployment.repeats else None,
        "versions": [
            {
                "version": str(target.model_version),
                "id": str(target.model_version_id),
                "weight": target.weight,
                "role": target.role,
            }
            for target in sorted(found, key=lambda each: (-each.weight, each.pk))
        ],
        **{name: value for name in ("routing", "fallback", "graph") if (value := getattr(deployment, name))},
    }


@transaction.atomic
def stop(endpoint: Endpoint, *, reason: str = "", acting_user: Actor) -> Endpoint:
    """Serve nothing any more but the fallback of what served, where it had one; the next deployment or rollback serves
    again. Doing it twice is harmless."""
    role = authorize(acting_user, Permission.ENDPOINT_MANAGE, endpoint.project)
    live = live_deployment(endpoint)
    if not transitions.stop(endpoint):
        return endpoint
    for deployment in Deployment.objects.filter(endpoint=endpoint, state__in=("pending", "starting", "live")):
        transitions.supersede(deployment, detail=f"The endpoint was stopped by {acting_user.name}.")
    audit(
        AuditAction.ENDPOINT_STOPPED,
        endpoint_target(endpoint),
        endpoint,
        acting_user=acting_user,
        role=role,
        before=facts_of(live) if live else None,
        after={"state": "stopped"},
        reason=reason,
    )
    endpoint.refresh_from_db(fields=["state"])
    return endpoint


@transaction.atomic
def create_key(endpoint: Endpoint, *, name: str, acting_user: Actor) -> tuple[EndpointKey, str]:
    """Make a key for clients; return it and its text, which is never to be had again."""
    role = authorize(acting_user, Permission.ENDPOINT_MANAGE, endpoint.project)
    if not name.strip():
        raise ValidationFailed(
            "The key needs a name.", remedy="Name it after the client that will use it.", field="name"
        )
    text = new_token(KEY_PREFIX)
    key = EndpointKey.objects.create(
        endpoint=endpoint, name=name.strip(), digest=token_digest(text), hint=text[:8], created_by=acting_user.name
    )
    audit(
        AuditAction.ENDPOINT_KEY_CREATED,
        Target("endpoint key", key.pk, f"{endpoint.path} {key.name}"),
        endpoint,
        acting_user=acting_user,
        role=role,
    )
    return key, text


@transaction.atomic
def revoke_key(key: EndpointKey, *, acting_user: Actor) -> None:
    """Make the key useless as soon as the gateway has the next route table. Doing it twice is harmless."""
    role = authorize(acting_user, Permission.ENDPOINT_MANAGE, key.endpoint.project)
    live = EndpointKey.objects.filter(pk=key.pk, revoked_at=None, is_internal=False)
    if live.update(revoked_at=timezone.now()):
        audit(
            AuditAction.ENDPOINT_KEY_REVOKED,
            Target("endpoint key", key.pk, f"{key.endpoint.path} {key.name}"),
            key.endpoint,
            acting_user=acting_user,
            role=role,
        )
