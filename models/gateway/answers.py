"""The answers of the gateway, each with what happened and what to do about it."""

from __future__ import annotations

from typing import Any

import orjson

from models.gateway.pending import Prediction
from models.gateway.responses import Response, problem, unavailable
from models.gateway.routes import CANARY, LIVE, Endpoint, Match, Target
from models.gateway.signature import Invalid
from models.gateway.spool import MAX_RECORD_BYTES

MAX_RECORDS = 10_000
PREDICTION_ID = b"X-Modelwright-Prediction-Id"


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
    facts = result.pending.facts
    if facts is not None and "fallback" in facts:
        body |= {"fallback": facts["fallback"], "served_by": target.served_by}
    return identified(body, prediction_id)


def identified(body: dict[str, Any], prediction_id: str) -> Response:
    """The answer to a recorded prediction, with its id beside the body."""
    return Response(200, orjson.dumps(body), headers=((PREDICTION_ID, prediction_id.encode()),))


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


def not_spoken(match: Match, path: bytes) -> Response:
    """An address of a protocol that is not answered, such as one of an extension."""
    shown = path[:200].decode("latin-1")
    return problem(
        404,
        f"Nothing is answered at {shown}.",
        title="Unknown address",
        remedy=f"See /{match.endpoint.name}/openapi.json for the addresses of this endpoint.",
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


def not_served(match: Match) -> Response:
    """The path names a model or version that the endpoint does not have, or that takes no requests."""
    endpoint = match.endpoint
    unweighted = [one for one in endpoint.targets if not one.weight and one.role in (LIVE, CANARY)]
    asked = [*endpoint.weighted, *(unweighted if match.is_pinned else ())]
    served = ", ".join(f"{target.model} version {target.version}" for target in asked) or "nothing"
    named = match.model[:200] + (f" version {match.version[:80]}" if match.version else "")
    return problem(
        404,
        f"{endpoint.name} does not serve {named}; it serves {served}.",
        title="Unknown model",
        remedy=f"Name one of these, or {endpoint.short_name} without a version for whatever the endpoint serves.",
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


def unspoken(endpoint: Endpoint, protocol: str, prediction_id: str, *, by_fallback: bool) -> Response:
    """What was predicted is on record, and the protocol cannot say it."""
    headers = ((PREDICTION_ID, prediction_id.encode()),)
    if by_fallback:
        return problem(
            502,
            f"The model of {endpoint.name} did not answer, and what its fallback says cannot be written in the "
            f"protocol {protocol}.",
            title="Fallback cannot be written",
            remedy="Have the fallback say what the model could say: of the same type, one value or the same columns.",
            headers=headers,
        )
    return problem(
        500,
        f"What the model of {endpoint.name} answered cannot be written in the protocol {protocol}; it is on record as "
        f"prediction {prediction_id}.",
        title="Answer cannot be written",
        remedy="Ask by another protocol of the endpoint, and tell whoever runs the platform: the gateway's log has the "
        "whole traceback.",
        headers=headers,
    )


def too_large_to_record(size: int) -> Response:
    """Inputs and outputs together are more than one record may hold, and what is not recorded is not answered."""
    return problem(
        413,
        f"The record of this request would have {size} bytes, more than the {MAX_RECORD_BYTES} that one may have, "
        "so it was not made and the request is not answered.",
        title="Too large to record",
        remedy="Send fewer records at once.",
    )


NOT_CHANGED = problem(
    405,
    "This address is only read.",
    remedy="Use GET.",
    headers=((b"Allow", b"GET, HEAD"),),
)
METHOD_NOT_ALLOWED = problem(
    405,
    "Predictions are asked for by POST.",
    remedy="Use POST with the records in the body.",
    headers=((b"Allow", b"POST"),),
)
