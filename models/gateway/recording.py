"""What the spool gets of a request: one record, without the values of the columns that the endpoint redacts."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import orjson

from models.gateway.pending import Failure, Pending, Prediction
from models.gateway.spool import encode_record

DIGEST_DIGITS = 32
WITHHELD = (
    "The model's words are not on record, because they may repeat a value of a column that this endpoint redacts."
)
WITHHELD_OUTPUT = {"withheld": True}
# https://www.w3.org/TR/trace-context/: version ff and ids of noughts are invalid, later versions may say more.
_TRACE = re.compile(r"(?!ff|00.{54})[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


class Recorder:
    """Makes records. `secret` is the installation's: equal values of a redacted column have equal digests, in all of
    its gateways, and who does not know the secret cannot try values out. Without one, digests are equal only as long
    as this process runs."""

    def __init__(self, secret: str) -> None:
        self._key = redaction_key(secret) if secret else secrets.token_bytes(32)

    def predicted(self, result: Prediction, prediction_id: str, now: float) -> bytes:
        """The bytes of an answered request's record; `now` is of `time.monotonic()`."""
        record = self._record(result.pending, prediction_id, now, result.predictions)
        record["outputs"] = result.predictions
        record["status"] = 200
        if result.probabilities is not None:
            record["probabilities"] = result.probabilities
        return encode_record(record)

    def failed(self, failure: Failure, prediction_id: str, now: float) -> bytes:
        """The bytes of the record of a request that the model failed."""
        pending = failure.pending
        message = WITHHELD if pending.endpoint.redact else failure.message
        record = self._record(pending, prediction_id, now)
        record["outputs"] = []
        record["status"] = failure.response.status
        record["error"] = {"code": failure.code, "message": message}
        return encode_record(record)

    def _record(self, pending: Pending, prediction_id: str, now: float, answers: Sequence[Any] = ()) -> dict[str, Any]:
        endpoint, target = pending.endpoint, pending.target
        records = self.redacted(pending.records, endpoint.redact) if endpoint.redact else pending.records
        inputs = orjson.dumps(records)
        # Nothing before `inputs_size` is nested, so whoever ships it finds the text of the inputs without reading it.
        record = {
            "id": prediction_id,
            "at": pending.at,
            "endpoint_id": endpoint.endpoint_id,
            "deployment_id": endpoint.deployment_id,
            "model_version_id": target.model_version_id,
            "key_id": pending.key_id,
            "protocol": pending.protocol,
            "served_by": target.served_by,
            "rows": len(records),
            "inputs_size": len(inputs),
            "inputs": orjson.Fragment(inputs),
            "latency_ms": round((now - pending.received) * 1000, 3),
        }
        if pending.trace is not None and (match := _TRACE.fullmatch(pending.trace)):
            record["trace_id"] = match[1]
        if pending.facts is not None:
            record |= self._told(pending.facts, answers, endpoint.redact) if endpoint.redact else pending.facts
        return record

    def _told(self, facts: dict[str, Any], answers: Sequence[Any], redact: frozenset[str]) -> dict[str, Any]:
        error, nodes = facts.get("error"), facts.get("nodes")
        told = {**facts, "error": {**error, "message": WITHHELD}} if error else dict(facts)
        if nodes is not None:
            told["nodes"] = [self._node(step, answers, redact) for step in nodes]
        return told

    def _node(self, step: dict[str, Any], answers: Sequence[Any], redact: frozenset[str]) -> dict[str, Any]:
        """A step of a graph. What a node made of the input may tell all of it, whatever the node is called; so only
        what is the answer itself, which is on record anyway, stays on record."""
        told = dict(step)
        if "error" in step:
            told["error"] = {**step["error"], "message": WITHHELD}
        if "outputs" in step:
            numbers = step.get("records") or range(len(step["outputs"]))
            kept = [number < len(answers) and output is answers[number] for number, output in _pairs(numbers, step)]
            told |= self._kept(step, kept, redact)
            if not any(kept):
                del told["outputs"]
        return told

    def _kept(self, step: dict[str, Any], kept: Sequence[bool], redact: frozenset[str]) -> dict[str, Any]:
        """What stays of the step's outputs and probabilities, each in its place."""
        outputs = [
            self._without(output, redact) if is_kept else WITHHELD_OUTPUT
            for output, is_kept in zip(step["outputs"], kept, strict=False)
        ]
        told: dict[str, Any] = {"outputs": outputs}
        if not all(kept):
            told["withheld"] = True
        if "probabilities" in step:
            chances = zip(step["probabilities"], kept, strict=False)
            told["probabilities"] = [each if is_kept else None for each, is_kept in chances]
        return told

    def _without(self, value: Any, redact: frozenset[str]) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: self._digest(inner) if name in redact else self._without(inner, redact)
            for name, inner in value.items()
        }

    def unit(self, unit: str) -> str:
        """What stands on record for a unit."""
        return digest_of(self._key, unit)

    def redacted(self, records: list[Any], columns: frozenset[str]) -> list[Any]:
        """The records without the values of the columns. Copies: the answer may still need the records themselves."""
        return [
            {name: self._digest(value) if name in columns else value for name, value in record.items()}
            for record in records
        ]

    def _digest(self, value: Any) -> dict[str, str] | None:
        return None if value is None else {"redacted": digest_of(self._key, value)}


def _pairs(numbers: Sequence[int], step: dict[str, Any]) -> Iterable[tuple[int, Any]]:
    return zip(numbers, step["outputs"], strict=False)


def redaction_key(secret: str) -> bytes:
    """The key of the digests, made from the installation's secret; it does not tell that."""
    return hmac.digest(secret.encode(), b"modelwright redaction", "sha256")


def digest_of(key: bytes, value: Any) -> str:
    """What stands on record for a value that is redacted. One number, however it is written, is one value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).encode() if isinstance(value, int) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hmac.new(key, text, sha256).hexdigest()[:DIGEST_DIGITS]
