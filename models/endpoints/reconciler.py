"""Makes what endpoints serve what it should be. Every step may be repeated, and may be cut off at any point.

Per endpoint: replicas of the wanted versions run → all versions of the newest deployment answer → the route table names
it → the gateway has that table → the deployment is live and the one before superseded. What served before goes on
serving until the last step, and its replicas stay warm after it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from models.endpoints import replicas, transitions
from models.endpoints.adopting import adopt
from models.endpoints.letting_go import let_go, let_go_of_other_paths, let_go_of_too_many
from models.endpoints.models import Deployment, Replica
from models.endpoints.paths import Path, give_up
from models.endpoints.publishing import publish
from models.endpoints.replicas import RECONCILER
from models.endpoints.settling import fail, settle, supersede
from models.endpoints.viewing import View, note_answering, views
from models.registry.models import ModelVersion
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)

_LOCK = 0x6D77_E4D9


def tick() -> bool:
    """One round over all endpoints; whether it left anything under way. A second reconciler at the same time does
    nothing."""
    with _alone() as alone:
        if not alone:
            return False
        refused = adopt()
        found = views()
        for view in found:
            _contained(view)
        published = publish(found, refused)
        for view in found:
            if not view.in_trouble and view.endpoint.path not in published.left:
                settle(view, published.revision)
                let_go(view)
                let_go_of_too_many(view, published.revision)
                let_go_of_other_paths(view, published.revision)
        replicas.tidy_up()
        return bool(refused or published.left) or not all(map(_is_settled, found))


def _is_settled(view: View) -> bool:
    """Whether the endpoint serves what was asked for, with all that it needs and nothing that is about to end."""
    if view.in_trouble or view.plan.candidate is not None or view.plan.overtaken:
        return False
    running = [replica for found in view.replicas.values() for replica in found]
    return all(_is_in_service(replica) for replica in running) and all(
        _running(view, version_id) == view.needed[version_id] for version_id in view.plan.wanted
    )


def _is_in_service(replica: Replica) -> bool:
    return replica.answers and replica.workload.cancel_requested_at is None


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


def _contained(view: View) -> None:
    """One endpoint's trouble must not keep the others from being looked after."""
    try:
        _look_after(view)
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        logger.exception("reconciling endpoint %s", view.endpoint.path)
        view.in_trouble = True


def _look_after(view: View) -> None:
    for wish in view.plan.overtaken:
        supersede(view.deployments[wish.id], "A newer deployment was asked for before it served.")
    candidate = view.candidate
    if candidate is not None and candidate.state == "pending" and transitions.start(candidate):
        candidate.refresh_from_db(fields=["state"])
    versions = view.versions()
    note_answering(view, replicas.probe)
    for version_id in view.plan.wanted:
        for replica in view.replicas[version_id]:
            if replicas.overdue(replica):
                _give_up_overdue(view, replica, candidate)
        if _running(view, version_id) < view.needed[version_id]:
            _start(view, versions[version_id], candidate)
    if candidate is not None and candidate.state == "starting":
        _note_waiting(view, candidate)


def _is_of(view: View, version_id: UUID) -> bool:
    """Whether the candidate serves the version."""
    return view.plan.candidate is not None and version_id in view.plan.candidate.versions


def _running(view: View, version_id: UUID) -> int:
    """How many replicas of the version run, or are on their way, by the path that is wanted."""
    wanted = view.paths[version_id].served_by
    return sum(
        replica.served_by == wanted and replica.workload.cancel_requested_at is None
        for replica in view.replicas[version_id]
    )


def _give_up_overdue(view: View, replica: Replica, candidate: Deployment | None) -> None:
    if replica.workload.cancel_requested_at is not None:
        return
    version_id, path = replica.model_version_id, view.paths[replica.model_version_id]
    replicas.stop(replica, reason="It did not answer in time after its start.")
    if path.is_compiled and replica.served_by == path.served_by:
        why = replicas.why_overdue(replica)
        view.paths[version_id] = give_up(path, reason=why, acting_user=RECONCILER)
    elif candidate is not None and _is_of(view, version_id) and replica.created_at > candidate.created_at:
        fail(view, candidate, replicas.why_overdue(replica))


def _compiled_or_not(view: View, version: ModelVersion) -> Path:
    """The path that is wanted, or the original where the compiled model has just been seen not to start."""
    path = view.paths[version.pk]
    if path.compiled is None or path.compiled.ended_at is None:
        return path
    ended = replicas.ended_lately(view.endpoint.pk, version.pk, path.served_by).exclude(workload__state="lost")
    replica = ended.filter(created_at__gt=path.compiled.ended_at, healthy_at=None).first()
    if replica is not None:
        view.paths[version.pk] = give_up(path, reason=replicas.why_ended(replica), acting_user=RECONCILER)
    return view.paths[version.pk]


def _start(view: View, version: ModelVersion, candidate: Deployment | None) -> None:
    version_id, path = version.pk, _compiled_or_not(view, version)
    missing = view.needed[version_id] - _running(view, version_id)
    if missing < 1:
        return
    ended = replicas.ended_lately(view.endpoint.pk, version_id, path.served_by)
    if not path.is_compiled and candidate is not None and _is_of(view, version_id):
        own = list(ended.filter(created_at__gt=candidate.created_at)[:2])
        if own and _is_hopeless(own):
            fail(view, candidate, replicas.why_ended(own[0]))
            return
    if not replicas.may_start_again(ended, view.needed[version_id]):
        return
    try:
        for _ in range(missing):
            replicas.start(view.endpoint, version, path)
    except PlatformError as error:
        if candidate is not None and _is_of(view, version_id):
            fail(view, candidate, f"{error.message} {error.remedy}".strip())
        else:
            logger.warning("no replica of %s for %s: %s", version, view.endpoint.path, error)


def _is_hopeless(own: list[Replica]) -> bool:
    """A replica that ended by itself would end again; one that was lost with its host is worth a second try."""
    return own[0].workload.state != "lost" or len(own) > 1


def _note_waiting(view: View, candidate: Deployment) -> None:
    reasons = []
    for target in candidate.targets.all():
        for replica in view.replicas[target.model_version_id]:
            if replica.healthy_at is None and replica.workload.waiting_reason:
                reasons.append(replica.workload.waiting_reason)
    detail = " ".join(dict.fromkeys(reasons))
    if detail != candidate.detail:
        Deployment.objects.filter(pk=candidate.pk, state="starting").update(detail=detail)
        candidate.detail = detail
