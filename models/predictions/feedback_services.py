"""Truth that people give: all of what they send, or none of it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from models.endpoints.models import Endpoint
from models.endpoints.services import endpoint_target
from models.gateway.feedback_items import MAX_ITEMS, BadItem, Item
from models.predictions.evidence_selectors import NO_PROJECT
from models.predictions.feedback_types import Known, known_predictions, problem_of
from models.predictions.models import Feedback, Prediction
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.errors import FieldError, NotFound, ValidationFailed
from modelwright.core.text import storable_json
from projects.models import Project
from projects.selectors import authorize

MAX_ERRORS = 50


class Given(NamedTuple):
    """What was stored: the rows, and of how many the prediction is not on record."""

    rows: list[Feedback]
    unmatched: int


class Placed(NamedTuple):
    """An item and where the person wrote it, such as `feedback[3]` or `row 4`; empty where there is only this one."""

    place: str
    item: Item


class Answered(NamedTuple):
    """What the truth is for: an endpoint, or the batch job that stands in its place on predictions without one."""

    id: UUID
    project: Project
    target: Target


def by_endpoint(endpoint: Endpoint) -> Answered:
    """What the endpoint answered."""
    return Answered(endpoint.pk, endpoint.project, endpoint_target(endpoint))


def by_prediction(prediction: Prediction) -> Answered:
    """What answered the prediction. Raises NotFound where its project is gone."""
    project = Project.objects.filter(pk=prediction.project_id or NO_PROJECT).first()
    if project is None:
        raise NotFound("There is no such prediction.", remedy="Check its id.")
    target = Target("prediction", prediction.pk, prediction.pk.hex)
    return Answered(prediction.endpoint_id, project, target)


@transaction.atomic
def give(answered: Answered, placed: Sequence[Placed], *, acting_user: Actor) -> Given:
    """Store the truth. A prediction that is not on record is no fault.

    Raises PermissionRefused; ValidationFailed, which names each item whose truth is of another type than the answer.
    """
    role = authorize(acting_user, Permission.PREDICT, answered.project)
    if not 1 <= len(placed) <= MAX_ITEMS:
        raise ValidationFailed(
            f"There are {len(placed)} pieces of feedback.", remedy=f"Give 1 to {MAX_ITEMS} at once.", field="feedback"
        )
    ids = [UUID(each.item.prediction_id) for each in placed if each.item.prediction_id]
    known = known_predictions(answered.id, ids)
    _check_types(placed, known)
    rows = [_row(answered, each.item, acting_user) for each in placed]
    Feedback.objects.bulk_create(rows, batch_size=1000)
    unmatched = sum(id_ not in known for id_ in ids)
    record(
        acting_user=acting_user,
        action=AuditAction.FEEDBACK_GIVEN,
        target=answered.target,
        role=role,
        workspace_id=answered.project.workspace_id,
        project_id=answered.project.pk,
        after={"count": len(rows), "unmatched": unmatched, "first": str(rows[0].pk), "last": str(rows[-1].pk)},
    )
    return Given(rows, unmatched)


def refuse(errors: Sequence[FieldError]) -> ValidationFailed:
    """The refusal of everything because of what is wrong with some of it."""
    more = f" The first {MAX_ERRORS} are listed." if len(errors) > MAX_ERRORS else ""
    return ValidationFailed(
        f"Nothing was stored, because part of the feedback is wrong.{more}",
        remedy="Correct what is listed and send all of it again.",
        errors=tuple(errors[:MAX_ERRORS]),
    )


def errors_at(place: str, bad: BadItem) -> list[FieldError]:
    """What is wrong with the item at `place`."""
    return [FieldError(".".join(filter(None, (place, fault.key))), fault.message, fault.remedy) for fault in bad.faults]


def _check_types(placed: Sequence[Placed], known: dict[UUID, Known]) -> None:
    errors = []
    for place, item in placed:
        found = known.get(UUID(item.prediction_id)) if item.prediction_id else None
        if problem := problem_of(found, item.record, item.truth):
            key = "record" if found is not None and item.record >= found.rows else "truth"
            where = ".".join(filter(None, (place, key)))
            errors.append(FieldError(where, problem, "Give what the model should have answered."))
    if errors:
        raise refuse(errors)


def _row(answered: Answered, item: Item, acting_user: Actor) -> Feedback:
    return Feedback(
        project_id=answered.project.pk,
        endpoint_id=answered.id,
        prediction_id=UUID(item.prediction_id) if item.prediction_id else None,
        record=item.record,
        truth=storable_json(item.truth),
        response=storable_json(item.response),
        happened_at=None if item.happened_at is None else _moment(item.happened_at),
        known_at=_moment(item.known_at),
        source=Feedback.Source.PERSON,
        source_id=acting_user.require_user().pk,
        created_by=acting_user.name,
    )


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
