"""Makes an endpoint for testing out of what another one served, beside that one."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.services import (
    audit,
    create_endpoint,
    deployment_target,
    endpoint_target,
    facts_of,
    request_deployment,
)
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction

# What a copy takes over of the endpoint itself. Its stage is the lab, its keys are its own.
SETTINGS = ("cpu", "memory_bytes", "gpus", "labels", "profile", "serving_path", "redacted_columns", "retention_days")
LONGEST_NAME = 63


@transaction.atomic
def copy_for_testing(deployment: Deployment, *, name: str = "", acting_user: Actor) -> Endpoint:
    """A new endpoint of the same project, in the stage `lab`, to which what the deployment says is deployed.

    It is called `name`, or `<endpoint>-test-<number>`. Pins to keys are left out, for these are the other endpoint's.
    Raises PermissionRefused, ValidationFailed, Conflict for a name that is taken or a version that is not ready.
    """
    source = deployment.endpoint
    made = create_endpoint(
        project=source.project,
        name=name or _free_name(deployment),
        description=f"Deployment {deployment.number} of {source.path}, for testing.",
        acting_user=acting_user,
    )
    for field in SETTINGS:
        setattr(made, field, getattr(source, field))
    made.save(update_fields=SETTINGS)
    request_deployment(
        made,
        targets=[
            TargetRequest(target.model_version, target.weight, target.role)
            for target in deployment.targets.select_related("model_version__model").order_by("pk")
        ],
        routing=_without_pins(deployment.routing),
        fallback=deployment.fallback,
        graph=deployment.graph,
        evidence={"copy_of": str(deployment.pk)},
        reason=f"A copy of {source.path}, deployment {deployment.number}, for testing.",
        acting_user=acting_user,
    )
    audit(
        AuditAction.ENDPOINT_COPIED,
        endpoint_target(made),
        made,
        acting_user=acting_user,
        before={"copy_of": deployment_target(deployment).name} | facts_of(deployment),
        after={"name": made.name, "stage": made.stage},
    )
    return made


def _free_name(deployment: Deployment) -> str:
    ending = f"-test-{deployment.number}"
    taken = set(Endpoint.objects.filter(workspace=deployment.endpoint.workspace_id).values_list("name", flat=True))
    for attempt in range(1, len(taken) + 2):
        last = ending if attempt == 1 else f"{ending}-{attempt}"
        name = deployment.endpoint.name[: LONGEST_NAME - len(last)] + last
        if name not in taken:
            return name
    raise AssertionError("there are more names than endpoints")


def _without_pins(routing: dict[str, Any]) -> dict[str, Any]:
    pins = {key: value for key, value in (routing.get("pins") or {}).items() if key != "keys"}
    return {**routing, "pins": pins} if "pins" in routing else dict(routing)
