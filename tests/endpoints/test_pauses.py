"""How soon replicas that ended by themselves are replaced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from models.endpoints import replicas, services
from models.endpoints.models import Endpoint, Replica
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import GIB, Workload
from projects.models import Project
from tests.endpoints.test_services import version_of

pytestmark = pytest.mark.django_db


def end(endpoint: Endpoint, version: ModelVersion, count: int, *, state: str = "failed", ago: int = 1) -> None:
    """So many replicas of it ended, so many seconds ago."""
    for _ in range(count):
        workload = Workload.objects.create(
            kind="replica",
            name="replica",
            cpu=0.25,
            memory_bytes=GIB,
            spec={},
            state=state,
            finished_at=timezone.now() - timedelta(seconds=ago),
        )
        Replica.objects.create(endpoint=endpoint, model_version=version, workload=workload)


@pytest.mark.parametrize("needed", [1, 20, 30])
def test_those_beyond_the_needed_are_replaced_after_a_pause_however_many_are_needed(
    project: Project, ann: User, needed: int
) -> None:
    endpoint = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    version = version_of(project)

    def may() -> bool:
        return replicas.may_start_again(replicas.ended_lately(endpoint.pk, version.pk, "original"), needed)

    end(endpoint, version, needed, ago=20)
    assert may(), "each has one at once"
    end(endpoint, version, 25, state="lost")
    end(endpoint, version, 3, state="cancelled")
    assert may(), "what was lost with its host is not its own fault"
    end(endpoint, version, 4)
    assert not may()
    Workload.objects.filter(state="failed").update(finished_at=timezone.now() - timedelta(seconds=17))
    assert may()
    end(endpoint, version, 4, ago=17)
    assert not may()
    other = replicas.ended_lately(endpoint.pk, version.pk, "onnx:" + "a" * 64)
    assert replicas.may_start_again(other, needed), "by another path it did not end"
