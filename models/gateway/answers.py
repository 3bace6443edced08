"""The answers of the gateway, each with what happened and what to do about it."""

from __future__ import annotations

from typing import Any

import orjson

from models.gateway.pending import Prediction
from models.gateway.responses import Response, problem, unavailable
from models.gateway.routes import Endpoint, Target
from models.gateway.signature import Invalid

MAX_RECORDS = 10_000
SHAPE = '{"records": [{"column": value, ...}, ...]}'


class BadBody(Exception):
    """The body holds no records; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def records_of(body: bytes) -> list[Any]:
    """The records of a request's body, at least one, not yet checked. Raises `BadBody`."""
    try:
        data = orjson.loads(body)
    except ValueError as error:
        detail = f"The body is no JSON: {error}." if body else "The body is empty."
        remedy = f"Send {SHAPE} as UTF-8. JSON has no NaN or Infinity: a missing value is null."
        raise BadBody(problem(400, detail, remedy=remedy)) from error
    if not isinstance(data, dict) or "records" not in data:
        raise BadBody(_not_the_shape("The body is no object with the key records."))
    if len(data) > 1:
        others = ", ".join(str(name)[:80] for name in list(data)[:10] if name != "records")
        raise BadBody(_not_the_shape(f"The body has keys besides records: {others}."))
    records = data["records"]
    if not isinstance(records, list) or not records:
        raise BadBody(_not_the_shape("records is no list with at least one record."))
    if len(records) > MAX_RECORDS:
        raise BadBody(_not_the_shape(f"{len(records)} records are more than the {MAX_RECORDS} of one request."))
    return records


def _not_the_shape(detail: str) -> Response:
    remedy = f"Send {SHAPE}."
    return problem(
        422,
        detail,
        remedy=remedy,
        title="Records do not fit",
        errors=[{"field": "records", "message": detail, "remedy": remedy}],
    )


def does_not_fit(endpoint: Endpoint, target: Target, invalid: Invalid) -> Response:
    """The records do not fit the signature of the model."""
    count = len(invalid.errors)
    what = "One value does" if count == 1 else f"{count} values do"
    return problem(
        422,
        f"{what} not fit the signature of {target.model} version {target.version}, which serves {endpoint.name}.",
        title="Records do not fit",
        remedy="Correct the values listed under errors; each says what was expected and what came.",
        errors=invalid.errors,
    )


def prediction(result: Prediction, prediction_id: str) -> Response:
    """The answer to a recorded prediction."""
    endpoint, target = result.pending.endpoint, result.pending.target
    body = {
        "prediction_id": prediction_id,
        "endpoint": endpoint.name,
        "deployment": endpoint.deployment_number,
        "model": target.model,
        "version": target.version,
        "predictions": result.predictions,
    }
    if result.probabilities is not None:
        body["probabilities"] = result.probabilities
    return Response(200, orjson.dumps(body))


def not_found(method: bytes, path: bytes, is_page: bool) -> Response:
    """No such endpoint, or a page that is only read."""
    if is_page:
        return problem(
            405,
            f"{method.decode('latin-1')} is not possible here.",
            remedy="Use GET.",
            headers=((b"Allow", b"GET, HEAD"),),
        )
    shown = path[:200].decode("latin-1")
    return problem(
        404,
        f"Nothing is served at {shown}.",
        title="Unknown endpoint",
        remedy="Post to /<workspace>/<endpoint>/predict; the endpoint's page shows its address.",
    )


def wrong_key(authorization: bytes) -> Response:
    """No key, or one that the endpoint does not have."""
    detail = "The API key is not one of this endpoint, or it was revoked." if authorization else "No API key was sent."
    return problem(
        401,
        detail,
        remedy="Send Authorization: Bearer <key> with a key of this endpoint; the endpoint's page makes new ones.",
        headers=((b"WWW-Authenticate", b'Bearer realm="modelwright"'),),
    )


def no_target(endpoint: Endpoint) -> Response:
    """The deployment sends requests nowhere."""
    return unavailable(
        f"{endpoint.name} has no model version that takes requests.",
        remedy="Deploy a model version to the endpoint.",
        title="No model version",
        retry_after=5,
    )


def no_replica(endpoint: Endpoint) -> Response:
    """No replica answers."""
    return unavailable(
        f"No replica of {endpoint.name} answers at the moment.",
        remedy="Try again in a moment; the endpoint's page shows the state of its replicas.",
        title="No healthy replica",
    )


METHOD_NOT_ALLOWED = problem(
    405,
    "Predictions are asked for by POST.",
    remedy="Use POST with the records in the body.",
    headers=((b"Allow", b"POST"),),
)
