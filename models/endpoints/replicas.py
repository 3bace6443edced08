"""Starts, probes and stops the model servers of an endpoint."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from models.endpoints.addresses import access, address
from models.endpoints.models import Endpoint, Replica
from models.endpoints.paths import Path
from models.endpoints.probing import ping
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.compute.models import Workload
from modelwright.compute.selectors import log_tail, uncollected
from modelwright.compute.services import create_workload, mark_collected, request_cancel
from modelwright.core.errors import Conflict, Unavailable

logger = logging.getLogger(__name__)

RECONCILER = Actor.system("endpoint reconciler")
# A model server finishes what it has received before it ends.
GRACE_SECONDS = 35.0
# A replica that never answers within so long after its start is given up.
STARTUP_LIMIT = timedelta(minutes=10)
REPEAT_WINDOW = timedelta(minutes=10)
LONGEST_PAUSE_SECONDS = 60
# Beyond those that are replaced at once; the pause is the longest before.
MOST_COUNTED = 20
LOG_LINES = 15
MEMORY_PER_FILE_BYTE = 4


@transaction.atomic
def start(endpoint: Endpoint, version: ModelVersion, path: Path, *, purpose: str = Replica.Purpose.SERVE) -> Replica:
    """Queue a replica of the version that answers by the path, from the verified snapshot of its files.

    Whoever starts one for another purpose than to serve takes it away again. Raises Unavailable without an environment.
    """
    made = path.compiled
    digest, size = (made.manifest_digest, made.size) if made else (version.manifest_digest, version.size)
    environment_request = made.environment_request if made else version.environment_request
    if environment_request is None:
        raise Unavailable(f"{version} has no environment.", remedy="Have the version inspected again.")
    workload = create_workload(
        kind=Workload.Kind.REPLICA,
        name=f"replica of {version} for {endpoint.name}",
        command=[
            *("{python}", "-m", "modelwright_runtime.server"),
            *("--socket", "{socket}"),
            *("--compiled" if made else "--model", f"{{model:{digest}}}"),
            *("--version-id", str(version.pk), "--served-by", path.served_by),
        ],
        cpu=endpoint.cpu,
        memory_bytes=endpoint.memory_bytes + MEMORY_PER_FILE_BYTE * size,
        gpus=endpoint.gpus,
        labels=endpoint.labels,
        environment_request=environment_request,
        models=[digest],
        grace_seconds=GRACE_SECONDS,
        apart=f"{endpoint.pk}/{version.pk}" if purpose == Replica.Purpose.SERVE else "",
        acting_user=RECONCILER,
        workspace_id=endpoint.workspace_id,
        project_id=endpoint.project_id,
    )
    replica: Replica = Replica.objects.create(
        endpoint=endpoint, model_version=version, workload=workload, served_by=path.served_by, purpose=purpose
    )
    return replica


def probe(replica: Replica) -> bool:
    """Whether the replica is known to answer; asks it when that is not known yet."""
    if replica.healthy_at is not None:
        return True
    where = address(replica) if replica.workload.state in ("starting", "running") else None
    if where is None:
        return False
    pong = ping(where, access())
    if pong is None or pong.get("version_id") != str(replica.model_version_id):
        return False
    replica.healthy_at, replica.socket = timezone.now(), where
    replica.save(update_fields=["healthy_at", "socket"])
    return True


def stop(replica: Replica, *, reason: str) -> None:
    """Ask the replica to finish what it has and to end."""
    try:
        request_cancel(replica.workload, acting_user=RECONCILER, reason=reason)
    except Conflict:
        return  # It has ended by itself.


def overdue(replica: Replica) -> bool:
    """Whether the replica was started long ago and never answered."""
    started = replica.workload.started_at
    return replica.healthy_at is None and started is not None and timezone.now() - started > STARTUP_LIMIT


def why_overdue(replica: Replica) -> str:
    """What a person should read about a replica that was given up because it never answered."""
    host = replica.workload.host
    minutes = int(STARTUP_LIMIT.total_seconds() // 60)
    return (
        f"The replica of {replica.model_version} did not answer within {minutes} minutes after its start on host "
        f"{host.name if host else '?'}. See its log for whether the model is still being loaded, and on another host "
        "than the gateway's whether its bridge can be reached."
    )


def ended_lately(endpoint_id: UUID, version_id: UUID, served_by: str) -> QuerySet[Replica]:
    """The version's replicas by that path that ended by themselves in the last minutes, the latest first."""
    found: QuerySet[Replica] = Replica.objects.filter(
        endpoint_id=endpoint_id,
        model_version_id=version_id,
        served_by=served_by,
        purpose=Replica.Purpose.SERVE,
        workload__finished_at__gt=timezone.now() - REPEAT_WINDOW,
    )
    found = found.exclude(workload__state="cancelled").select_related("workload")
    return found.order_by("-workload__finished_at")


def may_start_again(ended: QuerySet[Replica], needed: int = 1) -> bool:
    """Whether replacements are due: each of the `needed` has one at once, others after pauses that double up to a
    minute. What was lost with its host is not taken for its own fault."""
    own = list(ended.exclude(workload__state="lost")[: needed + MOST_COUNTED])
    beyond = len(own) - needed
    if beyond < 1:
        return True
    finished = own[0].workload.finished_at
    pause = min(2**beyond, LONGEST_PAUSE_SECONDS)
    return finished is None or timezone.now() - finished >= timedelta(seconds=pause)


def why_ended(replica: Replica) -> str:
    """What a person should read about a replica that ended: how, and the last lines of its log."""
    workload = replica.workload
    parts = [f"The replica of {replica.model_version} {workload.get_state_display().lower()}."]
    if workload.detail:
        parts.append(workload.detail)
    if tail := log_tail(workload, LOG_LINES):
        parts.append(f"The last lines of its log:\n{tail}")
    return "\n".join(parts)[:8000]


def tidy_up() -> None:
    """Let the working folders of ended replicas go."""
    for workload in uncollected(Workload.Kind.REPLICA)[:50]:
        mark_collected(workload)
