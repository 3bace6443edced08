"""Follows re-executions and gives the verdict over what they left."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef

from models.predictions import reexecution_services as services
from models.predictions import transitions
from models.predictions.models import Prediction, Reexecution
from models.predictions.verdicts import Answer, compare
from modelwright.accounts.actors import Actor
from modelwright.compute import selectors as compute
from modelwright.compute.collecting import collect_each
from modelwright.compute.models import Workload
from modelwright.compute.results import RESULT, read_result
from modelwright.compute.services import forget_files

JUDGE = Actor.system("re-execution")


def tick() -> int:
    """Say which began, and take what ended ones left, as their hosts handed it in; return how many those were."""
    begun = Reexecution.objects.filter(state="queued", workload__state="running")
    for reexecution in begun[:100]:
        transitions.run(reexecution)
    return collect_each(Workload.Kind.REEXECUTION, take=_take, give_up=_give_up)


def forget_answers() -> int:
    """Forget what came again of predictions that are deleted: retention of the one is retention of the other.

    No audit row: that of the deleted predictions says it. The verdicts stay.
    """
    there = Prediction.objects.filter(pk=OuterRef("prediction_id"))
    left = Reexecution.objects.exclude(outputs=None).exclude(Exists(there))
    said = "What came again is deleted with the prediction."
    return left.update(outputs=None, probabilities=None, difference=None, detail=said)


def _give_up(workload: Workload, error: Exception) -> None:
    if (reexecution := _asked(workload)) is not None:
        services.fail(reexecution, reason=f"It left what cannot be read: {error}"[:2000], acting_user=JUDGE)
    forget_files(workload)


def _asked(workload: Workload) -> Reexecution | None:
    found: Reexecution | None = Reexecution.objects.filter(workload=workload).first()
    return found


def _take(workload: Workload) -> None:
    if (reexecution := _asked(workload)) is not None:
        _judge(reexecution, workload)
    # The input is the prediction's, whose retention is not the workload's.
    forget_files(workload)


def _judge(reexecution: Reexecution, workload: Workload) -> None:
    result = read_result(workload, RESULT)
    if workload.state != "succeeded" or "answer" not in result:
        said = str(result.get("error") or "") or workload.detail or compute.log_tail(workload, 5)
        reason = f"{workload.get_state_display()}. {said[:2000]}".strip()
        services.fail(reexecution, reason=reason, acting_user=JUDGE)
        return
    prediction = Prediction.objects.filter(pk=reexecution.prediction_id).first()
    if prediction is None:
        reason = "The prediction has been deleted meanwhile, so there is nothing to compare with."
        services.fail(reexecution, reason=reason, acting_user=JUDGE)
        return
    now = answer_of(result["answer"])
    verdict = compare(Answer(prediction.outputs, prediction.probabilities), now)
    services.conclude(reexecution, verdict, answer=now._asdict(), acting_user=JUDGE)


def answer_of(payload: Any) -> Answer:
    """A replica's answer as the gateway records it. Raises ValueError: a model's own code ran beside what wrote it."""
    if not isinstance(payload, dict) or not isinstance(payload.get("predictions"), list):
        raise ValueError("there is no list of predictions in it")
    outputs, rows = payload["predictions"], payload.get("probabilities")
    if rows is None:
        return Answer(outputs, None)
    classes = payload.get("classes")
    if not isinstance(rows, list) or not isinstance(classes, list) or len(rows) != len(outputs):
        raise ValueError("its probabilities are none of its predictions")
    if not all(isinstance(row, list) and len(row) == len(classes) for row in rows):
        raise ValueError("it has more probabilities than classes, or fewer")
    names = [str(name) for name in classes]
    return Answer(outputs, [dict(zip(names, row, strict=True)) for row in rows])
