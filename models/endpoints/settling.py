"""Moves deployments through their states, with the audit rows and the lineage of it."""

from __future__ import annotations

from django.db import transaction

from lineage import names
from lineage.kinds import EdgeKind, Origin
from lineage.services import EdgeSpec
from lineage.services import add as add_lineage
from models.endpoints import routes, transitions
from models.endpoints.asked import asked
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.plan import Plan
from models.endpoints.replicas import RECONCILER
from models.endpoints.services import audit, deployment_target, facts_of
from models.endpoints.viewing import View
from modelwright.audit.actions import AuditAction


def settle(view: View, revision: int) -> None:
    """The candidate that the published table names is live once the gateway answers by that table."""
    deployment = view.serving()
    if deployment is None or deployment.state != "starting":
        return
    there = routes.gateway_revision()
    if there is None or there < revision:
        waiting = "Its replicas are ready; waiting for the gateway to take up the route table."
        Deployment.objects.filter(pk=deployment.pk, state="starting").exclude(detail=waiting).update(detail=waiting)
        return
    go_live(view, deployment)


def hold(view: View) -> bool:
    """Keep, until the transaction ends, a stop and a newer deployment waiting. False when there was one already since
    the endpoint was looked at."""
    endpoint = Endpoint.objects.select_for_update().get(pk=view.endpoint.pk)
    return asked([endpoint.pk])[endpoint.pk].what == view.seen.what


@transaction.atomic
def go_live(view: View, deployment: Deployment) -> None:
    """The gateway answers by the deployment. Nothing happens when something newer was asked for."""
    before = view.deployments[view.plan.live.id] if view.plan.live else None
    if not hold(view):
        return
    if before is not None:
        supersede(before, f"Deployment {deployment.number} took its place.")
    if not transitions.go_live(deployment):
        transaction.set_rollback(True)
        return
    audit(
        AuditAction.DEPLOYMENT_LIVE,
        deployment_target(deployment),
        view.endpoint,
        acting_user=RECONCILER,
        before=facts_of(before) if before else None,
        after=facts_of(deployment),
    )
    record_lineage(view.endpoint, deployment)


def record_lineage(endpoint: Endpoint, deployment: Deployment) -> None:
    """Its versions were deployed, and the endpoint served it."""
    project_id = endpoint.project_id
    served = names.deployment(project_id, deployment.pk, f"{endpoint.name} #{deployment.number}")
    edges = [EdgeSpec(served, names.endpoint(project_id, endpoint.pk, endpoint.path), EdgeKind.SERVED)]
    for target in deployment.targets.all():
        version = target.model_version
        node = names.model_version(project_id, version.pk, str(version), version.manifest_digest)
        edges.append(EdgeSpec(node, served, EdgeKind.DEPLOYED, origin=Origin.OBSERVED))
    add_lineage(edges=edges)


@transaction.atomic
def supersede(deployment: Deployment, detail: str) -> None:
    """Another one has taken its place, for the reason `detail`."""
    before = deployment.state
    if transitions.supersede(deployment, detail=detail):
        audit(
            AuditAction.DEPLOYMENT_SUPERSEDED,
            deployment_target(deployment),
            deployment.endpoint,
            acting_user=RECONCILER,
            before={"state": before},
            after={"state": "superseded"},
            reason=detail,
        )


@transaction.atomic
def fail(view: View, deployment: Deployment, detail: str) -> None:
    """It could not be brought to serve; the view goes on without it."""
    if transitions.fail(deployment, detail=detail):
        audit(
            AuditAction.DEPLOYMENT_FAILED,
            deployment_target(deployment),
            view.endpoint,
            acting_user=RECONCILER,
            after=facts_of(deployment),
            reason=detail,
        )
    view.plan = Plan(None, view.plan.live, (), view.plan.wanted)
