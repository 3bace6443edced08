"""Moves deployments through their states, with the audit rows and the lineage of it."""

from __future__ import annotations

from django.db import transaction

from lineage import names
from lineage.kinds import EdgeKind, Origin
from lineage.services import EdgeSpec
from lineage.services import add as add_lineage
from models.endpoints import routes, transitions
from models.endpoints.asked import Asked, asked
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.plan import Plan
from models.endpoints.replicas import RECONCILER
from models.endpoints.selectors import live_with_names
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
    go_live(view.endpoint, deployment, view.seen)


def hold(endpoint: Endpoint, seen: Asked) -> bool:
    """Keep, until the transaction ends, a stop and a newer deployment waiting. False when there was one already since
    the endpoint was looked at."""
    Endpoint.objects.select_for_update().only("pk").get(pk=endpoint.pk)
    return asked([endpoint.pk])[endpoint.pk].what == seen.what


@transaction.atomic
def go_live(endpoint: Endpoint, deployment: Deployment, seen: Asked) -> bool:
    """The gateway answers by the deployment. Nothing happens, and it is False, when something newer was asked for than
    what was seen, or somebody else was first."""
    if not hold(endpoint, seen):
        return False
    before = live_with_names(endpoint)
    if before is not None and before.pk == deployment.pk:
        return False
    if before is not None:
        before.endpoint = endpoint
        supersede(before, f"Deployment {deployment.number} took its place.")
    if deployment.state == "pending":  # All of it was warm, so nothing had to be started.
        transitions.start(deployment)
    if not transitions.go_live(deployment):
        transaction.set_rollback(True)
        return False
    audit(
        AuditAction.DEPLOYMENT_LIVE,
        deployment_target(deployment),
        endpoint,
        acting_user=RECONCILER,
        before=facts_of(before) if before else None,
        after=facts_of(deployment),
    )
    record_lineage(endpoint, deployment)
    return True


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


@transaction.atomic(savepoint=False)
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
