"""Truth typed by what the version answers: the outputs of its signature, where it has one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from models.endpoints.models import DeploymentTarget
from models.gateway.values import value_type
from models.gateway.words import Mismatch, describe
from models.predictions.models import Prediction
from models.registry.models import ModelVersion

Signature = dict[str, Any] | None
_WHOLE, _NUMBERS = ("integer", "long"), ("float", "double")
UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError)
_TRUTH_VALUES = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


class Known(NamedTuple):
    """A prediction that is on record: how many records it has, and the signature of the version that answered."""

    rows: int
    signature: Signature


def known_predictions(endpoint_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Known]:
    """Those of the ids that are predictions of the endpoint."""
    found = list(
        Prediction.objects.filter(pk__in=set(ids), endpoint_id=endpoint_id).only("pk", "model_version_id", "rows")
    )
    versions = ModelVersion.objects.filter(pk__in={each.model_version_id for each in found})
    signatures: dict[UUID, Signature] = dict(versions.values_list("pk", "signature"))
    return {each.pk: Known(_rows(each), signatures.get(each.model_version_id)) for each in found}


def _rows(prediction: Prediction) -> int:
    if prediction.rows is not None:
        return prediction.rows
    return len(prediction.inputs) if isinstance(prediction.inputs, list) else 1


def current_signature(endpoint_id: UUID) -> Signature:
    """Of the version that was deployed last: for truth whose prediction is not known."""
    targets = DeploymentTarget.objects.filter(deployment__endpoint_id=endpoint_id)
    newest = targets.order_by("-deployment__number", "-weight").values_list("model_version__signature", flat=True)
    return newest.first()


def problem_of(known: Known | None, record: int, truth: Any) -> str:
    """Why the truth cannot be of that record, empty where it can or where the prediction is not known."""
    if known is None:
        return ""
    if record >= known.rows:
        count = "one record" if known.rows == 1 else f"{known.rows} records"
        return f"The prediction has {count}, counted from 0, so there is no record {record}."
    return fault_of(known.signature, truth)


def fault_of(signature: Signature, truth: Any) -> str:
    """How the truth differs from what the version answers, empty where it does not."""
    outputs = _outputs(signature)
    if len(outputs) == 1:
        return _fault(outputs[0], truth)
    if not outputs:
        return ""
    by_name = {str(output.get("name", index)): output for index, output in enumerate(outputs)}
    if not isinstance(truth, dict) or not truth or not truth.keys() <= by_name.keys():
        return f"Expected an object with some of the keys {', '.join(by_name)[:300]}, got {describe(truth)}."
    faults = (
        f"{name}: {_fault(by_name[name], value)}" for name, value in truth.items() if _fault(by_name[name], value)
    )
    return next(faults, "")


def value_of_text(signature: Signature, text: str) -> Any:
    """What a cell of a table means: by the type of the output, else as JSON, else as the text that it is."""
    outputs = _outputs(signature)
    kind = str(outputs[0].get("type", "")) if len(outputs) == 1 else ""
    if kind in ("string", "datetime", "binary"):
        return text
    if kind == "boolean":
        return _TRUTH_VALUES.get(text.strip().lower(), text)
    try:
        if kind in _WHOLE:
            return _whole(text)
        if kind in _NUMBERS:
            return _number(text)
        return json.loads(text, parse_constant=lambda _: text, parse_int=_whole, parse_float=_number)
    except (ValueError, RecursionError):
        return text


def _whole(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError("beyond what 64 bits hold")
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("JSON has no such number")
    return value


def _outputs(signature: Signature) -> list[dict[str, Any]]:
    """The outputs that have a type which can be checked: tensors have none."""
    outputs = signature.get("outputs") if isinstance(signature, dict) else None
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        return []
    return [] if any("tensor" in output or output.get("type") == "tensor" for output in outputs) else outputs


def _bare(output: dict[str, Any]) -> dict[str, Any]:
    """Without what an object or map holds: a truth may be a part of it."""
    kept = {key: value for key, value in output.items() if key not in ("properties", "values")}
    items = output.get("items")
    return {**kept, "items": _bare(items)} if isinstance(items, dict) else kept


def _fault(output: dict[str, Any], value: Any) -> str:
    try:
        kind = value_type(_bare(output))
    except UNREADABLE:
        # What nobody can read is no type, and anything goes.
        return ""
    try:
        kind.check(value)
    except Mismatch as mismatch:
        return f"Expected {kind.expected}, as the version answers, got {mismatch}."
    except UNREADABLE:
        return f"It cannot be compared with {kind.expected}, as the version answers."
    return ""
