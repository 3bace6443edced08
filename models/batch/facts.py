"""What the services of this room share: audit rows, what a workload is given."""

from __future__ import annotations

import json
from typing import Any

from models.batch.models import BatchJob
from models.batch.sources import OF_CONNECTION
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import decrypt
from modelwright.core.errors import Conflict


def audit(action: AuditAction, job: BatchJob, *, acting_user: Actor, role: str = "", **facts: Any) -> None:
    """An audit row for the job."""
    record(
        acting_user=acting_user,
        action=action,
        target=Target("batch job", job.pk, f"{job.project.name}/{job}"),
        role=role,
        workspace_id=job.project.workspace_id,
        project_id=job.project_id,
        **facts,
    )


def masked_of(job: BatchJob, token: str) -> list[str]:
    """What its log must not show."""
    connection = job.connection if job.source["kind"] in OF_CONNECTION else None
    return [token, *([decrypt(connection.secret)] if connection is not None and connection.secret else [])]


def secrets_of(job: BatchJob, token: str) -> dict[str, str]:
    """The secret variables of its workload: its token, and how to reach a data connection. Raises Conflict."""
    made = {"MODELWRIGHT_SCORING_TOKEN": token}
    if job.source["kind"] in OF_CONNECTION:
        connection = job.connection
        if connection is None:
            raise Conflict(
                f"The data connection {job.source['connection']} is no longer there.",
                remedy="Start a new job with another connection.",
            )
        secret = decrypt(connection.secret) if connection.secret else ""
        made["MODELWRIGHT_SCORING_CONNECTION"] = json.dumps(
            {"kind": connection.kind, "config": connection.config, "secret": secret}
        )
    return made
