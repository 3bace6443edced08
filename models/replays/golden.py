"""Golden requests: answers on record that a version must give again, so that it is known to be the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from models.endpoints.models import Deployment, Endpoint
from models.predictions.models import Prediction
from models.predictions.redacted import holds_redacted
from models.predictions.reexecution import answer_of
from models.predictions.verdicts import TOLERANCE, Answer, compare
from models.registry.models import ModelVersion
from models.replays.models import GoldenRequest
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.errors import Conflict, NotFound
from projects.selectors import authorize

# A compiled model was proved to give scores within so much of the original's.
TOLERANCE_OF_PATHS = 1e-5
MOST_PINNED = 200
_LOOKED_AT = 4
_ROLES = ("live", "canary")


class Golden(NamedTuple):
    """A request of the record and what was answered, by which path."""

    prediction_id: UUID
    inputs: list[Any]
    answer: Answer
    served_by: str
    is_pinned: bool


def golden_requests(endpoint: Endpoint, version: ModelVersion, limit: int) -> list[Golden]:
    """What people pinned of the version, then its newest answers, at most `limit` of them; none that hold redacted
    values."""
    pins = GoldenRequest.objects.filter(endpoint=endpoint, model_version=version).order_by("-id")
    pinned = list(pins.values_list("prediction_id", flat=True)[:MOST_PINNED])
    fields = ("id", "inputs", "outputs", "probabilities", "served_by")
    mine = Prediction.objects.filter(endpoint_id=endpoint.pk, model_version_id=version.pk, status=200, fallback="")
    mine = mine.order_by("-id").only(*fields)
    kept = [_golden(each, True) for each in mine.filter(pk__in=pinned)]
    newest = _newest(mine.exclude(pk__in=pinned), _served(endpoint, version), _LOOKED_AT * limit)
    others = [_golden(each, False) for each in newest]
    return [golden for golden in [*kept, *others] if _can_be_asked(golden)][: max(limit, len(kept))]


def _served(endpoint: Endpoint, version: ModelVersion) -> QuerySet[Deployment, UUID]:
    """The deployments in which clients got the version's answers, the newest first."""
    found = Deployment.objects.filter(
        endpoint=endpoint, targets__model_version=version, targets__role__in=_ROLES
    ).order_by("-number")
    return found.values_list("pk", flat=True)


def _newest(mine: QuerySet[Prediction], deployments: Iterable[UUID], limit: int) -> list[Prediction]:
    """The newest answers to clients, deployment by deployment. In the whole record of the endpoint a version that has
    hardly answered would be sought for long."""
    answers = mine.filter(role__in=_ROLES, nodes__isnull=True).exclude(protocol="batch")
    found: list[Prediction] = []
    for id_ in deployments:
        found.extend(answers.filter(deployment_id=id_)[: limit - len(found)])
        if len(found) >= limit:
            break
    return found


def _golden(prediction: Prediction, is_pinned: bool) -> Golden:
    answer = Answer(prediction.outputs, prediction.probabilities)
    return Golden(prediction.pk, prediction.inputs, answer, prediction.served_by, is_pinned)


def _can_be_asked(golden: Golden) -> bool:
    return isinstance(golden.inputs, list) and bool(golden.inputs) and not holds_redacted(golden.inputs)


def difference(golden: Golden, payload: dict[str, Any], served_by: str) -> str:
    """How a replica's answer differs from the one on record, empty where it is the same."""
    tolerance = TOLERANCE if golden.served_by == served_by else TOLERANCE_OF_PATHS
    try:
        now = answer_of(payload)
    except ValueError as error:
        return f"It answered what is no answer: {error}."
    # Another path may leave the probabilities out.
    recorded = golden.answer if now.probabilities is not None else Answer(golden.answer.outputs, None)
    verdict = compare(recorded, now, tolerance=tolerance)
    return "" if verdict.is_same else verdict.detail


@transaction.atomic
def pin(endpoint: Endpoint, prediction_id: UUID, *, note: str = "", acting_user: Actor) -> GoldenRequest:
    """Have a prediction asked in each drill of its version. Doing it twice is harmless. Raises NotFound, Conflict."""
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, endpoint.project)
    prediction = Prediction.objects.filter(pk=prediction_id, endpoint_id=endpoint.pk).first()
    if prediction is None:
        raise NotFound(
            f"{endpoint.name} has no such prediction on record.", remedy="Check the id on the page of predictions."
        )
    there = GoldenRequest.objects.filter(endpoint=endpoint, prediction_id=prediction_id).first()
    if there is not None:
        return there
    _check(prediction)
    version = ModelVersion.objects.filter(pk=prediction.model_version_id, model__project_id=endpoint.project_id).first()
    if version is None:
        raise Conflict("The version that answered is not there any more.", remedy="Choose another prediction.")
    if GoldenRequest.objects.filter(endpoint=endpoint, model_version=version).count() >= MOST_PINNED:
        raise Conflict(f"{version} has {MOST_PINNED} pinned requests.", remedy="Take others out first.")
    made: GoldenRequest = GoldenRequest.objects.create(
        endpoint=endpoint,
        prediction_id=prediction_id,
        model_version=version,
        note=note.strip()[:200],
        pinned_by=acting_user.name,
    )
    _audit(AuditAction.GOLDEN_REQUEST_PINNED, made, acting_user, role)
    return made


def _check(prediction: Prediction) -> None:
    if prediction.status != 200 or prediction.fallback or not prediction.outputs:
        raise Conflict(
            "No model answered this request, so there is nothing that must come again.",
            remedy="Choose a prediction that was answered.",
            field="prediction_id",
        )
    if holds_redacted(prediction.inputs):
        raise Conflict(
            "Values of its input are redacted: they were never on record, so no model can be asked again.",
            remedy="Choose a prediction without redacted values.",
            field="prediction_id",
        )


@transaction.atomic
def unpin(golden: GoldenRequest, *, acting_user: Actor) -> None:
    """Take it out of the drills again; the prediction stays on record."""
    role = authorize(acting_user, Permission.ENDPOINT_DEPLOY, golden.endpoint.project)
    _audit(AuditAction.GOLDEN_REQUEST_UNPINNED, golden, acting_user, role)
    golden.delete()


def _audit(action: AuditAction, golden: GoldenRequest, acting_user: Actor, role: str) -> None:
    record(
        acting_user=acting_user,
        action=action,
        target=Target("prediction", golden.prediction_id, golden.prediction_id.hex),
        after={"endpoint": golden.endpoint.path, "version": str(golden.model_version), "note": golden.note},
        role=role,
        workspace_id=golden.endpoint.workspace_id,
        project_id=golden.endpoint.project_id,
    )
