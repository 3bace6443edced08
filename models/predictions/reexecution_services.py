"""Predictions made again: by whom, on what, and what came of it."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction

from models.endpoints.models import Endpoint
from models.gateway.rules import SERVED_BY
from models.gateway.signature import Invalid, compile_signature
from models.predictions import transitions
from models.predictions.answering import GRAPH, Path, path_of
from models.predictions.evidence_selectors import NO_PROJECT
from models.predictions.models import Prediction, Reexecution
from models.predictions.redacted import holds_redacted
from models.predictions.verdicts import Verdict
from models.registry.mlmodel import served_signature
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute.models import GIB, Workload
from modelwright.compute.results import RESULT
from modelwright.compute.services import create_workload
from modelwright.core.errors import Conflict, NotFound
from modelwright.core.text import storable_json
from projects.models import Project
from projects.selectors import authorize

INPUT = "input.json"
CPU, TIMEOUT_SECONDS = 1.0, 900
MEMORY_PER_FILE_BYTE = 4
_GONE = "The version that answered is not there any more, or was never taken over with its environment."
_WITHOUT_FILES = "Nothing can be done: without its files the answer cannot be made again."


@transaction.atomic
def start_reexecution(prediction: Prediction, *, acting_user: Actor) -> Reexecution:
    """Queue the prediction on its exact version and path. Raises PermissionRefused, NotFound; Conflict, saying why it
    cannot be made again."""
    project = Project.objects.filter(pk=prediction.project_id or NO_PROJECT).first()
    if project is None:
        raise NotFound("There is no such prediction.", remedy="Check its id.")
    role = authorize(acting_user, Permission.PREDICT, project)
    # One after the other, so that two cannot both be the only one.
    Prediction.objects.select_for_update().only("pk").get(pk=prediction.pk)
    if Reexecution.objects.filter(prediction_id=prediction.pk, state__in=("queued", "running")).exists():
        raise Conflict("It is being made again already.", remedy="Wait for the verdict.")
    version = _version(prediction)
    path = _path(prediction, version)
    workload = create_workload(
        kind=Workload.Kind.REEXECUTION,
        name=f"re-execution of prediction {prediction.pk.hex}",
        command=[
            *("{python}", "-m", "modelwright_runtime.reexecute"),
            *("--compiled" if path.is_compiled else "--model", f"{{model:{path.manifest_digest}}}"),
            *("--input", INPUT, "--out", RESULT),
        ],
        cpu=CPU,
        memory_bytes=_memory(prediction) + MEMORY_PER_FILE_BYTE * path.size,
        timeout_seconds=TIMEOUT_SECONDS,
        environment_request=path.environment_request,
        models=[path.manifest_digest],
        files={INPUT: _input(prediction, version)},
        acting_user=acting_user,
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
    made: Reexecution = Reexecution.objects.create(
        prediction_id=prediction.pk,
        project_id=project.pk,
        endpoint_id=prediction.endpoint_id,
        model_version_id=version.pk,
        served_by=prediction.served_by,
        workload=workload,
        requested_by=acting_user.name,
    )
    _audit(AuditAction.REEXECUTION_STARTED, made, acting_user, role=role, after={"served_by": made.served_by})
    return made


@transaction.atomic
def conclude(reexecution: Reexecution, verdict: Verdict, *, answer: dict[str, Any], acting_user: Actor) -> None:
    """Note the verdict over the answer that came."""
    note = transitions.same if verdict.is_same else transitions.different
    kept = {"outputs": storable_json(answer["outputs"]), "probabilities": storable_json(answer["probabilities"])}
    detail, difference = storable_json(verdict.detail), storable_json(verdict.difference)
    if note(reexecution, detail=detail, difference=difference, **kept):
        _audit(AuditAction.REEXECUTION_ENDED, reexecution, acting_user, after=_ended(reexecution, detail))


@transaction.atomic
def fail(reexecution: Reexecution, *, reason: str, acting_user: Actor) -> None:
    """Note that no answer came."""
    detail = storable_json(reason)
    if transitions.fail(reexecution, detail=detail):
        _audit(AuditAction.REEXECUTION_ENDED, reexecution, acting_user, after=_ended(reexecution, detail))


def _ended(reexecution: Reexecution, detail: str) -> dict[str, Any]:
    reexecution.refresh_from_db(fields=["state"])
    return {"state": reexecution.state, "detail": detail[:500]}


def _audit(action: AuditAction, reexecution: Reexecution, acting_user: Actor, **facts: Any) -> None:
    project = Project.objects.only("workspace_id").get(pk=reexecution.project_id)
    record(
        acting_user=acting_user,
        action=action,
        target=Target("prediction", reexecution.prediction_id, reexecution.prediction_id.hex),
        workspace_id=project.workspace_id,
        project_id=project.pk,
        **facts,
    )


def _path(prediction: Prediction, version: ModelVersion) -> Path:
    if prediction.served_by.startswith(SERVED_BY):
        raise Conflict(
            "A rule answered this in the model's place, so there is no model to ask again.",
            remedy="See the fallback of its deployment: it holds the rule.",
        )
    path = path_of(prediction.served_by, version)
    if path is None:
        raise Conflict(
            f"What answered, {prediction.served_by}, is not there any more: the version was compiled anew since.",
            remedy=f"Ask {version} itself on the endpoint's page.",
        )
    if not path.manifest_digest or path.environment_request is None:
        raise Conflict(_GONE, remedy=_WITHOUT_FILES)
    return path


def _version(prediction: Prediction) -> ModelVersion:
    if prediction.status != 200:
        raise Conflict(
            "The model failed this request, so there is no answer to compare with.",
            remedy="See the error on record, and the replica's log.",
        )
    if prediction.served_by.startswith(GRAPH):
        raise Conflict(
            "An inference graph of several versions answered; only what one version answered is made again.",
            remedy="What each node answered is on record with the prediction; ask the endpoint again on its page.",
        )
    if holds_redacted(prediction.inputs):
        raise Conflict(
            "Values of its input are redacted: they were never on record, so the model cannot be asked again.",
            remedy="Ask again with the values themselves, on the endpoint's page.",
        )
    version = ModelVersion.objects.select_related("model", "environment_request").filter(
        pk=prediction.model_version_id, model__project_id=prediction.project_id or NO_PROJECT
    )
    found = version.first()
    if found is None:
        raise Conflict(_GONE, remedy=_WITHOUT_FILES)
    return found


def _input(prediction: Prediction, version: ModelVersion) -> str:
    """What the replica was sent: the values in the order of the columns, each as its type wants it."""
    try:
        frame = compile_signature(served_signature(version.signature)).check(prediction.inputs)
    except (Invalid, ValueError, TypeError, AttributeError) as error:
        raise Conflict(
            f"Its recorded input does not fit the signature of {version}: {error}.",
            remedy="Nothing can be done: what the model was sent is not on record in a form that it takes.",
        ) from None
    return json.dumps({"columns": list(frame.columns), "rows": [list(row) for row in frame.rows]})


def _memory(prediction: Prediction) -> int:
    endpoint = Endpoint.objects.filter(pk=prediction.endpoint_id).only("memory_bytes").first()
    return endpoint.memory_bytes if endpoint is not None else GIB
