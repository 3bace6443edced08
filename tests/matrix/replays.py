"""Replays and drills of the matrix's endpoint: one of each that is over, an open alert, a golden request."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.utils import timezone

from models.endpoints.models import Deployment
from models.predictions.models import Prediction
from models.registry.models import ModelVersion
from models.replays import drill_services, golden, services
from models.replays.alerts import open_alert
from models.replays.models import Replay, ReplayChange
from modelwright.accounts.actors import Actor
from modelwright.compute.models import Workload
from modelwright.core.ids import new_id

SYSTEM = Actor.system("tests")


def add_replays(prediction: Prediction, earlier: Deployment, environment_of: ModelVersion) -> dict[str, Any]:
    """What the addresses of replays and drills name; the earlier version can be started and replayed again."""
    endpoint = earlier.endpoint
    version = earlier.targets.get().model_version
    version.environment_request = environment_of.environment_request
    version.save(update_fields=["environment_request"])
    replay = services.start_replay(endpoint, version, acting_user=SYSTEM)
    services.give_up(replay, reason="Its host was lost.", acting_user=SYSTEM)
    ReplayChange.objects.create(replay=replay, prediction_id=prediction.pk, record=0, before=1, after=0)
    (drill,) = drill_services.start_drills(endpoint, acting_user=SYSTEM)
    drill_services.end(drill, passed=False, detail="Its host was lost.", acting_user=SYSTEM, answered_at=timezone.now())
    alert = open_alert(endpoint.pk)
    assert alert is not None
    workload = Workload.objects.create(
        kind=Workload.Kind.REPLAY, name="r", cpu=1, memory_bytes=2**30, spec={"command": ["true"]}, created_by="tests"
    )
    running = Replay.objects.create(
        project_id=endpoint.project_id, endpoint=endpoint, candidate=environment_of, workload=workload, requested_by="x"
    )
    return {
        "running_replay_id": running.pk,
        "replay_id": replay.pk,
        "replayed_version_id": version.pk,
        "drill_id": drill.pk,
        "drill_alert_id": alert.pk,
        "golden_id": golden.pin(endpoint, _again(prediction).pk, acting_user=SYSTEM).pk,
    }


def _again(prediction: Prediction) -> Prediction:
    """Another answer like it, so that the first one is still there to be pinned."""
    other = copy(prediction)
    other.id = new_id()
    other.save(force_insert=True)
    return other
