"""Workloads of a small world, straight into the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import GIB, Workload
from projects import services as project_services
from projects.models import Project
from workspaces import services as workspace_services
from workspaces.models import Workspace

SYSTEM = Actor.system("tests")
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
WEEK = {"since": "2026-03-01", "until": "2026-03-08"}


def workspace(name: str, *members: User) -> Workspace:
    made = workspace_services.create_workspace(name=name, acting_user=SYSTEM)
    for person in members:
        workspace_services.set_member(made, person, role="member", acting_user=SYSTEM)
    return made


def project(place: Workspace, name: str, *members: User) -> Project:
    made = project_services.create_project(place, name=name, acting_user=SYSTEM)
    for person in members:
        project_services.set_member(made, person, role="viewer", acting_user=SYSTEM)
    return made


def workload(of: Project | None = None, *, hours: float = 1, **changes: Any) -> Workload:
    """One that ran so long from START on, with 1 CPU and 2 GiB."""
    values: dict[str, Any] = {
        "kind": "run",
        "name": "train #1",
        "created_by": "ann",
        "cpu": 1.0,
        "memory_bytes": 2 * GIB,
        "project_id": of.pk if of else None,
        "workspace_id": of.workspace_id if of else None,
        "state": "succeeded",
        "queued_at": START,
        "placed_at": START,
        "started_at": START,
        "finished_at": START + timedelta(hours=hours),
        "spec": {"command": ["{python}", "train.py", "--depth", "4"], "environment": {"DEPTH": "4"}},
    }
    return Workload.objects.create(**{**values, **changes})
