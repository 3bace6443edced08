"""Makes what endpoints serve what it should be. Every step may be repeated, and may be cut off at any point.

Per endpoint: replicas of the wanted versions run → all versions of the newest deployment answer → the route table names
it → the gateway has that table → the deployment is live and the one before superseded. What served before goes on
serving until the last step, and its replicas stay warm after it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Prefetch, Q, Window
from django.db.models.functions import RowNumber

from lineage import names
from lineage.kinds import EdgeKind, Origin
from lineage.services import EdgeSpec
from lineage.services import add as add_lineage
from models.endpoints import replicas, routes, transitions
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint, Replica
from models.endpoints.paths import Path, chosen, give_up, needless, path_of
from models.endpoints.plan import Plan, Wish, make_plan, serving
from models.endpoints.replicas import RECONCILER
from models.endpoints.services import audit, deployment_target, endpoint_target, facts_of
from models.registry.models import ModelVersion
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)

_LOCK = 0x6D77_E4D9
# So many of an endpoint's newest deployments are looked at for versions to keep warm.
LOOK_BACK = 20


@dataclass
class _View:
    """One endpoint as the database has it, and what the tick found out about it."""

    endpoint: Endpoint
    deployments: dict[UUID, Deployment]
    replicas: dict[UUID, list[Replica]] = field(default_factory=lambda: defaultdict(list))
    plan: Plan = field(default_factory=lambda: Plan(None, None, (), ()))
    sockets: dict[UUID, list[str]] = field(default_factory=dict)
    # By which path each wanted version should answer, and by which one its sockets do.
    paths: dict[UUID, Path] = field(default_factory=dict)
    in_use: dict[UUID, str] = field(default_factory=dict)
    # Nothing reliable is known of its replicas in this round.
    in_trouble: bool = False

    def serving(self) -> Deployment | None:
        wish = serving(self.plan, self.sockets)
        return self.deployments[wish.id] if wish else None

    def versions(self) -> dict[UUID, ModelVersion]:
        """The versions of its deployments."""
        targets = [target for deployment in self.deployments.values() for target in deployment.targets.all()]
        return {target.model_version_id: target.model_version for target in targets}


def tick() -> None:
    """One round over all endpoints. A second reconciler at the same time does nothing."""
    with _alone() as alone:
        if not alone:
            return
        views = _views()
        for view in views:
            _contained(view)
        before = routes.published()
        table = {view.endpoint.path: entry for view in views if (entry := _entry(view, before)) is not None}
        revision = _publish(views, before, table)
        for view in views:
            if not view.in_trouble:
                _settle(view, revision)
                _let_go(view)
                _let_go_of_other_paths(view, revision)
        replicas.tidy_up()


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _views() -> list[_View]:
    versions = DeploymentTarget.objects.select_related(
        "model_version__model", "model_version__environment_request", "model_version__compiled__environment_request"
    )
    targets = Prefetch("targets", versions.order_by("pk"))
    newest = Deployment.objects.annotate(
        place=Window(RowNumber(), partition_by=F("endpoint_id"), order_by=F("number").desc())
    ).filter(place__lte=LOOK_BACK)
    # One that has been live for long may lie further back.
    wanted = Q(pk__in=newest.values("pk")) | Q(state="live")
    found: dict[UUID, dict[UUID, Deployment]] = defaultdict(dict)
    deployments = Deployment.objects.filter(wanted).select_related("endpoint__workspace", "repeats")
    for deployment in deployments.prefetch_related(targets):
        found[deployment.endpoint_id][deployment.pk] = deployment
    endpoints = Endpoint.objects.select_related("workspace", "project").order_by("pk")
    views = {endpoint.pk: _View(endpoint, found[endpoint.pk]) for endpoint in endpoints}
    running = Replica.objects.filter(workload__finished_at=None).select_related(
        "workload__environment_request",
        "workload__host",
        "model_version__model",
        "model_version__environment_request",
    )
    for replica in running.order_by("pk"):
        views[replica.endpoint_id].replicas[replica.model_version_id].append(replica)
    return list(views.values())


def _contained(view: _View) -> None:
    """One endpoint's trouble must not keep the others from being looked after."""
    view.plan = make_plan(
        [_wish(deployment) for deployment in view.deployments.values()],
        is_active=view.endpoint.state == "active",
    )
    try:
        _look_after(view)
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        logger.exception("reconciling endpoint %s", view.endpoint.path)
        view.in_trouble = True


def _wish(deployment: Deployment) -> Wish:
    versions = tuple(target.model_version_id for target in deployment.targets.all())
    return Wish(deployment.pk, deployment.number, deployment.state, versions, deployment.live_at is not None)


def _look_after(view: _View) -> None:
    for wish in view.plan.overtaken:
        _supersede(view.deployments[wish.id], "A newer deployment was asked for before it served.")
    candidate = view.deployments[view.plan.candidate.id] if view.plan.candidate else None
    if candidate is not None and candidate.state == "pending" and transitions.start(candidate):
        candidate.refresh_from_db(fields=["state"])
    versions = view.versions()
    for version_id in view.plan.wanted:
        view.paths[version_id] = path_of(view.endpoint, versions[version_id])
        healthy = [replica for replica in view.replicas[version_id] if replicas.probe(replica)]
        if healthy:
            asked = chosen(healthy, view.paths[version_id].served_by)
            view.sockets[version_id] = [replica.socket for replica in asked]
            view.in_use[version_id] = asked[0].served_by
    for version_id in view.plan.wanted:
        for replica in view.replicas[version_id]:
            if replicas.overdue(replica):
                _give_up_overdue(view, replica, candidate)
        if not _running(view, version_id):
            _start(view, versions[version_id], candidate)
    if candidate is not None and candidate.state == "starting":
        _note_waiting(view, candidate)


def _is_of(view: _View, version_id: UUID) -> bool:
    """Whether the candidate serves the version."""
    return view.plan.candidate is not None and version_id in view.plan.candidate.versions


def _running(view: _View, version_id: UUID) -> bool:
    """Whether a replica of the version runs, or is on its way, by the path that is wanted."""
    wanted = view.paths[version_id].served_by
    return any(
        replica.served_by == wanted and replica.workload.cancel_requested_at is None
        for replica in view.replicas[version_id]
    )


def _give_up_overdue(view: _View, replica: Replica, candidate: Deployment | None) -> None:
    if replica.workload.cancel_requested_at is not None:
        return
    version_id, path = replica.model_version_id, view.paths[replica.model_version_id]
    replicas.stop(replica, reason="It did not answer in time after its start.")
    if path.is_compiled and replica.served_by == path.served_by:
        why = replicas.why_overdue(replica)
        view.paths[version_id] = give_up(path, reason=why, acting_user=RECONCILER)
    elif candidate is not None and _is_of(view, version_id) and replica.created_at > candidate.created_at:
        _fail(view, candidate, replicas.why_overdue(replica))


def _compiled_or_not(view: _View, version: ModelVersion) -> Path:
    """The path that is wanted, or the original where the compiled model has just been seen not to start."""
    path = view.paths[version.pk]
    if path.compiled is None or path.compiled.ended_at is None:
        return path
    for replica in replicas.ended_lately(view.endpoint.pk, version.pk):
        is_of_it = replica.served_by == path.served_by and replica.created_at > path.compiled.ended_at
        if is_of_it and replica.healthy_at is None and replica.workload.state != "lost":
            view.paths[version.pk] = give_up(path, reason=replicas.why_ended(replica), acting_user=RECONCILER)
    return view.paths[version.pk]


def _start(view: _View, version: ModelVersion, candidate: Deployment | None) -> None:
    version_id, path = version.pk, _compiled_or_not(view, version)
    if not path.is_compiled and _running(view, version_id):
        return
    ended = [r for r in replicas.ended_lately(view.endpoint.pk, version_id) if r.served_by == path.served_by]
    if not path.is_compiled and candidate is not None and _is_of(view, version_id):
        own = [replica for replica in ended if replica.created_at > candidate.created_at]
        if own and _is_hopeless(own):
            _fail(view, candidate, replicas.why_ended(own[0]))
            return
    if not replicas.may_start_again(ended):
        return
    try:
        replicas.start(view.endpoint, version, path)
    except PlatformError as error:
        if candidate is not None and _is_of(view, version_id):
            _fail(view, candidate, f"{error.message} {error.remedy}".strip())
        else:
            logger.warning("no replica of %s for %s: %s", version, view.endpoint.path, error)


def _is_hopeless(own: list[Replica]) -> bool:
    """A replica that ended by itself would end again; one that was lost with its host is worth a second try."""
    return own[0].workload.state != "lost" or len(own) > 1


def _note_waiting(view: _View, candidate: Deployment) -> None:
    reasons = []
    for target in candidate.targets.all():
        for replica in view.replicas[target.model_version_id]:
            if replica.healthy_at is None and replica.workload.waiting_reason:
                reasons.append(replica.workload.waiting_reason)
    detail = " ".join(dict.fromkeys(reasons))
    if detail != candidate.detail:
        Deployment.objects.filter(pk=candidate.pk, state="starting").update(detail=detail)
        candidate.detail = detail


def _entry(view: _View, before: dict[str, Any]) -> dict[str, Any] | None:
    path = view.endpoint.path
    if not view.in_trouble:
        deployment = view.serving()
        entry = routes.entry(view.endpoint, deployment, view.sockets, view.in_use) if deployment else None
        if entry is None or routes.is_servable(path, entry):
            return entry
        logger.error("the gateway cannot serve deployment %s of %s; what served before stays", deployment, path)
        view.in_trouble = True
    kept = routes.kept(view.endpoint, before)
    return kept if kept is not None and routes.is_servable(path, kept) else None


@transaction.atomic
def _publish(views: list[_View], before: dict[str, Any], table: dict[str, Any]) -> int:
    """Publish the table; what is answered by another path than before is told in the audit log."""
    revision = routes.publish(table)
    for view in views:
        for version_id, old, new in routes.switched(before.get(view.endpoint.path), table.get(view.endpoint.path)):
            path = view.paths.get(version_id)
            audit(
                AuditAction.ENDPOINT_PATH_SWITCHED,
                endpoint_target(view.endpoint),
                view.endpoint,
                acting_user=RECONCILER,
                before={"model_version": str(version_id), "served_by": old},
                after={"model_version": str(version_id), "served_by": new},
                reason=path.why
                if path is not None and path.served_by == new
                else "Nothing else answers at the moment.",
            )
    return revision


def _settle(view: _View, revision: int) -> None:
    """The candidate that the published table names is live once the gateway answers by that table."""
    deployment = view.serving()
    if deployment is None or deployment.state != "starting":
        return
    there = routes.gateway_revision()
    if there is None or there < revision:
        waiting = "Its replicas are ready; waiting for the gateway to take up the route table."
        Deployment.objects.filter(pk=deployment.pk, state="starting").exclude(detail=waiting).update(detail=waiting)
        return
    _go_live(view, deployment)


@transaction.atomic
def _go_live(view: _View, deployment: Deployment) -> None:
    before = view.deployments[view.plan.live.id] if view.plan.live else None
    # The endpoint's row is what a stop and a newer deployment wait for, too.
    Endpoint.objects.select_for_update().get(pk=view.endpoint.pk)
    if before is not None:
        _supersede(before, f"Deployment {deployment.number} took its place.")
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
    _record_lineage(view.endpoint, deployment)


def _record_lineage(endpoint: Endpoint, deployment: Deployment) -> None:
    project_id = endpoint.project_id
    served = names.deployment(project_id, deployment.pk, f"{endpoint.name} #{deployment.number}")
    edges = [EdgeSpec(served, names.endpoint(project_id, endpoint.pk, endpoint.path), EdgeKind.SERVED)]
    for target in deployment.targets.all():
        version = target.model_version
        node = names.model_version(project_id, version.pk, str(version), version.manifest_digest)
        edges.append(EdgeSpec(node, served, EdgeKind.DEPLOYED, origin=Origin.OBSERVED))
    add_lineage(edges=edges)


@transaction.atomic
def _supersede(deployment: Deployment, detail: str) -> None:
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
def _fail(view: _View, deployment: Deployment, detail: str) -> None:
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


def _let_go(view: _View) -> None:
    """Stop replicas of versions that are neither served nor warm. The published table does not name them."""
    served = view.serving()
    named = {target.model_version_id for target in served.targets.all()} if served else set()
    for version_id, running in view.replicas.items():
        if version_id in view.plan.wanted or version_id in named:
            continue
        for replica in running:
            if replica.workload.cancel_requested_at is None:
                replicas.stop(replica, reason="Its version is no longer served, nor kept warm.")


def _let_go_of_other_paths(view: _View, revision: int) -> None:
    """Stop replicas that answer by another path than the wanted one, once the gateway asks those that took over."""
    for version_id in view.plan.wanted:
        wanted, in_use = view.paths[version_id].served_by, view.in_use.get(version_id, "")
        found = [each for each in view.replicas[version_id] if needless(each, wanted=wanted, in_use=in_use)]
        if not found:
            continue
        there = routes.gateway_revision()
        if there is not None and there < revision:
            return
        for replica in found:
            replicas.stop(replica, reason="Its version is answered by another path now.")
