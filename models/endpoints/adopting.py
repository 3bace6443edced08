"""Makes deployments of rollbacks on the gateway's host, where there was no database (`models.gateway.rollback`).

It serves already; so it is live from the moment it is on record, whatever was on its way before it was known.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from models.endpoints import routes, transitions
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.services import audit, deployment_target, facts_of
from models.endpoints.settling import record_lineage, supersede
from models.endpoints.states import UNDER_WAY
from models.gateway import table_file
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction

logger = logging.getLogger(__name__)
COMMAND = "rollback command"


class _Refused(Exception):
    """It cannot be made a deployment; the text says why."""


def adopt() -> frozenset[str]:
    """Put every such rollback on record. The paths of those that cannot be: what the database says of them stands."""
    found = routes.not_adopted(table_file.read(routes.routes_file())).items()
    return frozenset(path for path, entry in found if not _adopt_all(path, entry))


def _adopt_all(path: str, entry: dict[str, Any]) -> bool:
    """Put on record the rollbacks before and the one that serves. False where that one cannot be."""
    last = {**entry["rolled_back"], "deployment_id": entry.get("deployment_id")}
    earlier = last.get("earlier")
    kept = False
    for told in [*(earlier if isinstance(earlier, list) else ()), last]:
        try:
            _adopt(path, told)
            kept = True
        except _Refused as why:
            logger.error("a rollback of %s on the gateway's host is not kept: %s", path, why)
            kept = False
    return kept


@transaction.atomic
def _adopt(path: str, told: Any) -> None:
    endpoint = _endpoint(path)
    repeats, id_, at, said = _facts(endpoint, told)
    if Deployment.objects.filter(pk=id_).exists():
        return
    newest = Deployment.objects.filter(endpoint=endpoint).order_by("-number").first()
    deployment = Deployment.objects.create(
        pk=id_,
        endpoint=endpoint,
        number=newest.number + 1 if newest else 1,
        kind=Deployment.Kind.ROLLBACK,
        repeats=repeats,
        actor_name=f"{said['by']} by the {COMMAND}"[:100],
        reason=said["reason"],
        routing=repeats.routing,
        fallback=repeats.fallback,
        graph=repeats.graph,
        evidence={"made_on": said["on"], "made_at": at.isoformat(), "instead_of": said["instead_of"]},
        is_emergency=True,
        # Nobody looked whether it may: it stays of the stage at which it was deployed.
        stage=repeats.stage,
    )
    for target in repeats.targets.all():
        deployment.targets.create(model_version=target.model_version, weight=target.weight, role=target.role)
    actor = Actor.system(deployment.actor_name)
    audit(
        AuditAction.ROLLBACK_EMERGENCY,
        deployment_target(deployment),
        endpoint,
        acting_user=actor,
        after=facts_of(deployment) | deployment.evidence,
        reason=deployment.reason,
    )
    _make_live(deployment, actor, at)


def _make_live(deployment: Deployment, actor: Actor, at: datetime) -> None:
    endpoint, number = deployment.endpoint, deployment.number
    earlier = Deployment.objects.filter(endpoint=endpoint).exclude(pk=deployment.pk).select_related("endpoint")
    before = earlier.filter(state="live").first()
    for each in earlier.filter(state__in=UNDER_WAY):
        supersede(each, f"Deployment {number}, a rollback on the gateway's host, was there. Ask again if it is wanted.")
    if before is not None:
        supersede(before, f"Deployment {number} took its place on the gateway's host.")
    transitions.start(deployment)
    if endpoint.state != "active":
        transitions.supersede(deployment, detail="The endpoint was stopped meanwhile.")
        return
    transitions.go_live(deployment, at=at)
    audit(
        AuditAction.DEPLOYMENT_LIVE,
        deployment_target(deployment),
        endpoint,
        acting_user=actor,
        before=facts_of(before) if before else None,
        after=facts_of(deployment),
        reason=deployment.reason,
    )
    record_lineage(endpoint, deployment)


def _endpoint(path: str) -> Endpoint:
    workspace, _, name = path.partition("/")
    found = Endpoint.objects.select_for_update(of=("self",)).select_related("workspace", "project")
    endpoint = found.filter(workspace__name=workspace, name=name).first()
    if endpoint is None:
        raise _Refused("there is no such endpoint")
    return endpoint


def _facts(endpoint: Endpoint, told: Any) -> tuple[Deployment, UUID, datetime, dict[str, str]]:
    try:
        earlier, id_ = UUID(str(told["to"])), UUID(str(told["deployment_id"]))
        at = datetime.fromtimestamp(float(told["at"]), UTC)
        said = {name: str(told[name]) for name in ("by", "on", "reason", "instead_of")}
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise _Refused(f"its entry is not as the command writes it ({error!r})") from None
    repeats = (
        Deployment.objects.filter(endpoint=endpoint, pk=earlier).prefetch_related("targets__model_version").first()
    )
    if repeats is None:
        raise _Refused(f"the database knows no deployment {earlier} of it")
    if repeats.live_at is None:
        raise _Refused(f"deployment {repeats.number}, which it goes back to, never served")
    return repeats, id_, at, said
