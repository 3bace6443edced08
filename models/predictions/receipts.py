"""Receipts of predictions: which facts, from where. docs/receipts.md is the format, `core.receipts` signs."""

from __future__ import annotations

import datetime
from typing import Any

from models.endpoints.models import Deployment
from models.predictions.answering import path_of
from models.predictions.models import Prediction
from models.predictions.receipt_keys import signing_key
from models.predictions.redacted import redacted_columns
from models.registry.models import ModelVersion
from modelwright.core.canonical import digest
from modelwright.core.errors import Conflict
from modelwright.core.receipts import sign


def receipt_of(prediction: Prediction) -> dict[str, Any]:
    """The signed receipt. The caller may see the prediction. The same prediction gives the same bytes, as long as the
    key is the same. Raises Unavailable without a key, Conflict for what has no canonical form."""
    version = ModelVersion.objects.select_related("model", "environment_request__environment").filter(
        pk=prediction.model_version_id
    )
    try:
        return sign(_payload(prediction, version.first()), signing_key())
    except ValueError as error:
        raise Conflict(
            f"What is on record of this prediction has no canonical form: {error}.",
            remedy="Nothing can be done: it cannot be signed.",
        ) from None


def _payload(prediction: Prediction, version: ModelVersion | None) -> dict[str, Any]:
    path = path_of(prediction.served_by, version) if version else None
    environment = path.environment_request.environment if path and path.environment_request else None
    return {
        "prediction": {
            "id": str(prediction.pk),
            "at": _moment(prediction.at),
            "status": prediction.status,
            "protocol": prediction.protocol,
        },
        "endpoint": {"id": str(prediction.endpoint_id), "name": prediction.endpoint_name},
        "input": _input(prediction),
        "output": _output(prediction),
        "version": {
            "id": str(prediction.model_version_id),
            "model": prediction.model_name,
            "number": prediction.version_number,
            "manifest_sha256": version.manifest_digest or None if version else None,
            "artifact_sha256": version.artifact_digest or None if version else None,
        },
        "served_by": _served_by(prediction),
        "deployment": _deployment(prediction),
        "environment": {
            "lock_sha256": environment.lock_digest if environment else None,
            "python": environment.python_version if environment else None,
        },
    }


def _input(prediction: Prediction) -> dict[str, Any]:
    inputs = prediction.inputs
    return {
        "sha256": digest(inputs),
        "records": len(inputs) if isinstance(inputs, list) else None,
        "redacted": redacted_columns(inputs),
    }


def _output(prediction: Prediction) -> dict[str, Any]:
    outputs, probabilities = prediction.outputs, prediction.probabilities
    found = {
        "sha256": digest(outputs),
        "records": len(outputs) if isinstance(outputs, list) else None,
        "probabilities_sha256": None if probabilities is None else digest(probabilities),
        "error_sha256": None if prediction.error is None else digest(prediction.error),
    }
    return found if prediction.nodes is None else {**found, "nodes_sha256": digest(prediction.nodes)}


def _served_by(prediction: Prediction) -> dict[str, Any]:
    path, _, sha256 = prediction.served_by.partition(":")
    return {"path": path, "sha256": sha256 or None}


def _deployment(prediction: Prediction) -> dict[str, Any]:
    """What was deployed, by facts that never change. Of a batch job, which is in a deployment's place, the id alone."""
    deployment = Deployment.objects.filter(pk=prediction.deployment_id).first()
    targets = None
    if deployment is not None:
        found = deployment.targets.select_related("model_version").order_by("model_version_id")
        targets = [
            {
                "version_id": str(target.model_version_id),
                "manifest_sha256": target.model_version.manifest_digest or None,
                "weight": target.weight,
            }
            for target in found
        ]
    return {
        "id": str(prediction.deployment_id),
        "number": deployment.number if deployment else None,
        "kind": deployment.kind if deployment else None,
        "targets": targets,
    }


def _moment(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
