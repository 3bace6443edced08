"""Truth for the matrix's prediction, one re-execution of it, and what it takes to start another."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from models.predictions import reexecution_services, transitions
from models.predictions.models import Feedback, Prediction, Reexecution
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.compute.models import Environment, EnvironmentRequest

SYSTEM = Actor.system("tests")


def add_evidence(prediction: Prediction, version: ModelVersion) -> dict[str, Any]:
    """A re-execution that gave the same answer; the version's environment is ready."""
    environment = Environment.objects.create(lock_digest="7" * 64, lock="", python_version="3.11")
    version.environment_request = EnvironmentRequest.objects.create(
        requirements_digest="7" * 64, python_version="3.11", kind="requirements.txt", state="ready",
        environment=environment,
    )  # fmt: skip
    version.save(update_fields=["environment_request"])
    for known_at in (prediction.at, timezone.now()):
        Feedback.objects.create(
            project_id=prediction.project_id,
            endpoint_id=prediction.endpoint_id,
            prediction_id=prediction.pk,
            truth=1,
            known_at=known_at,
            source=Feedback.Source.KEY,
            created_by="shop",
        )
    made: Reexecution = reexecution_services.start_reexecution(prediction, acting_user=SYSTEM)
    assert transitions.same(made, detail="The same answer came again.")
    return {"reexecution_id": made.pk}
