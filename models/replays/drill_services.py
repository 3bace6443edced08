"""Drills: who may begin one, and how it ends."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from models.endpoints import replicas
from models.endpoints.models import Deployment, Endpoint, Replica
from models.endpoints.paths import path_of
from models.registry.models import ModelVersion
from models.replays import transitions
from models.replays.alerts import end_alert, raise_alert
from models.replays.models import Drill
from models.replays.policies import drill_policy
from models.replays.states import DRILL_UNDER_WAY
from models.replays.way_back import versions_of, way_back
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.errors import Conflict, PlatformError
from modelwright.core.text import storable_json
from projects.selectors import authorize

LONGEST_DETAIL = 4000


@transaction.atomic
def start_drills(endpoint: Endpoint, *, trigger: str = Drill.Trigger.PERSON, acting_user: Actor) -> list[Drill]:
    """Begin to prove that each version of the endpoint's way back can be gone back to; one drill for each.

    A version of which not even a replica can be queued fails at once. Raises PermissionRefused; Conflict where nothing
    served before, or all of it is being proved.
    """
    role = authorize(acting_user, Permission.ENDPOINT_ROLLBACK, endpoint.project)
    # One after the other, so that two cannot both be the only one of a version.
    Endpoint.objects.select_for_update().only("pk").get(pk=endpoint.pk)
    back = way_back(endpoint)
    if back is None:
        raise Conflict(
            f"{endpoint.name} has served nothing else before, so there is nothing to go back to.",
            remedy="Deploy another version first.",
        )
    running = set(
        Drill.objects.filter(endpoint=endpoint, state__in=DRILL_UNDER_WAY).values_list("model_version", flat=True)
    )
    wanted = [version for version in versions_of(back) if version.pk not in running]
    if not wanted:
        raise Conflict("The way back is being proved already.", remedy="Wait for the outcome.")
    return [_start(endpoint, back, version, trigger, acting_user, role) for version in wanted]


def _start(
    endpoint: Endpoint, back: Deployment, version: ModelVersion, trigger: str, acting_user: Actor, role: str
) -> Drill:
    drill: Drill = Drill.objects.create(
        project_id=endpoint.project_id,
        endpoint=endpoint,
        deployment=back,
        model_version=version,
        trigger=trigger,
        requested_by=acting_user.name,
        max_seconds=drill_policy(endpoint).max_seconds,
    )
    after = {"version": str(version), "deployment": back.number, "trigger": trigger}
    audit(AuditAction.DRILL_STARTED, drill, acting_user=acting_user, role=role, after=after)
    try:
        with transaction.atomic():
            drill.replica = replicas.start(endpoint, version, path_of(endpoint, version), purpose=Replica.Purpose.DRILL)
            drill.save(update_fields=["replica"])
    except PlatformError as error:
        drill.replica = None
        end(drill, passed=False, detail=f"{error.message} {error.remedy}".strip(), acting_user=acting_user)
        drill.refresh_from_db()
    return drill


@transaction.atomic
def end(drill: Drill, *, passed: bool, detail: str, acting_user: Actor, **facts: Any) -> bool:
    """Note the outcome, take the replica away, and raise or end the alert. False where it is over already."""
    facts = {name: storable_json(value) for name, value in facts.items()}
    if not transitions.end(drill, passed=passed, detail=storable_json(detail[:LONGEST_DETAIL]), **facts):
        return False
    drill.refresh_from_db()
    if drill.replica is not None:
        replicas.stop(drill.replica, reason="The drill is over.")
    after = {
        "state": drill.state,
        "detail": drill.detail[:500],
        "asked": drill.asked,
        "differing": drill.differing,
        "seconds": drill.total_seconds,
    }
    audit(AuditAction.DRILL_ENDED, drill, acting_user=acting_user, after=after)
    (end_alert if passed else raise_alert)(drill, acting_user=acting_user)
    return True


def audit(action: AuditAction, drill: Drill, *, acting_user: Actor, role: str = "", **facts: Any) -> None:
    """An audit row for the drill."""
    record(
        acting_user=acting_user,
        action=action,
        target=Target("drill", drill.pk, str(drill)),
        role=role,
        workspace_id=drill.endpoint.workspace_id,
        project_id=drill.project_id,
        **facts,
    )
