"""What the page of a prediction shows besides the answer: truth, re-executions, the receipt's key."""

from __future__ import annotations

from typing import Any

from models.gateway.rules import SERVED_BY
from models.predictions.answering import GRAPH
from models.predictions.evidence_selectors import reexecutions_of
from models.predictions.feedback_forms import TruthForm
from models.predictions.feedback_selectors import said_of
from models.predictions.models import Feedback, Prediction, Reexecution
from models.predictions.receipt_keys import public_keys
from models.predictions.redacted import redacted_columns
from models.registry.models import ModelVersion

SHOWN = 5


def evidence(prediction: Prediction, version: ModelVersion | None, form: TruthForm | None = None) -> dict[str, Any]:
    """The context of `predictions/_truth.html`, `_reexecutions.html` and `_receipt.html`."""
    return {
        "said": _marked(said_of(prediction)),
        "truth_form": form or TruthForm(prediction, version.signature if version else None),
        "receipt_key": public_keys().first(),
        **again(prediction),
    }


def again(prediction: Prediction) -> dict[str, Any]:
    """What the part of the page shows that is about making it again."""
    made = list(reexecutions_of(prediction)[:SHOWN])
    return {
        "prediction": prediction,
        "reexecutions": made,
        "is_being_made": any(each.state in ("queued", "running") for each in made),
        "why_not": why_not(prediction),
        "waiting": next((_waiting(each) for each in made if each.state == "queued"), ""),
    }


def why_not(prediction: Prediction) -> str:
    """Why it cannot be made again, as far as the record itself says; empty where it may be tried."""
    if prediction.status != 200:
        return "The model failed this request, so there is no answer to compare with."
    if prediction.served_by.startswith(SERVED_BY):
        return "A rule answered this in the model's place; the fallback of its deployment holds the rule."
    if prediction.served_by.startswith(GRAPH):
        return "An inference graph of several versions answered; what each node answered stands on this page."
    if redacted := redacted_columns(prediction.inputs):
        return f"The values of {', '.join(redacted)} are redacted: they were never on record."
    return ""


def _waiting(reexecution: Reexecution) -> str:
    return str(reexecution.workload.waiting_reason)


def _marked(said: list[Feedback]) -> list[tuple[Feedback, bool]]:
    """Each with whether it is what counts for its record."""
    counting: dict[int, Feedback] = {}
    for each in said:
        if not each.problem:
            counting.setdefault(each.record, each)
    return [(each, counting.get(each.record) is each) for each in said]
