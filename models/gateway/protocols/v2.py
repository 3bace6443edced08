"""The Open Inference Protocol (V2), with its extension for tensors in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from models.gateway import answers
from models.gateway.fields import Field
from models.gateway.http import Request
from models.gateway.pending import Prediction
from models.gateway.protocols.base import Asked, Protocol, State
from models.gateway.protocols.bodies import bad, json_object, limited
from models.gateway.protocols.datatypes import of_field, shape_of
from models.gateway.protocols.refusals import as_error
from models.gateway.protocols.v2_inputs import REMEDY, RawBytes, read_all
from models.gateway.protocols.v2_outputs import PROBABILITIES, as_bytes, as_json, names_of, outputs_of
from models.gateway.protocols.v2_records import records_of
from models.gateway.responses import Response
from models.gateway.routes import Match, Target
from models.gateway.words import describe, quoted
from modelwright import __version__

LENGTH = b"inference-header-content-length"
OCTETS = b"application/octet-stream"
NAMELESS = "input-0"  # what the one nameless tensor of a model is called; clients may call it anything


class _Wish(NamedTuple):
    """What the client wants back. `outputs` is whether each output is to come as bytes; empty for all of them."""

    id: str | None
    model: str
    outputs: dict[str, bool]
    in_bytes: bool

    def encode(self, result: Prediction, prediction_id: str) -> Response:
        """The answer to a recorded prediction."""
        pending = result.pending
        found = outputs_of(result.predictions, result.probabilities, pending.target.signature.outputs)
        heads: list[dict[str, Any]] = []
        raw: list[bytes] = []
        for output in found:
            if self.outputs and output.name not in self.outputs:
                continue
            if self.outputs.get(output.name, self.in_bytes):
                head, data = as_bytes(output)
                heads.append(head)
                raw.append(data)
            else:
                heads.append(as_json(output))
        body = {
            "model_name": self.model or pending.target.model,
            "model_version": str(pending.target.version),
            "id": self.id or prediction_id,
            "parameters": {"prediction_id": prediction_id, "deployment": pending.endpoint.deployment_number},
            "outputs": heads,
        }
        response = answers.identified(body, prediction_id)
        if not raw:
            return response
        length = (b"Inference-Header-Content-Length", b"%d" % len(response.body))
        content = b"".join([response.body, *raw])
        return response._replace(body=content, content_type=OCTETS, headers=(*response.headers, length))


class V2(Protocol):
    """See the module."""

    name = "v2"

    def decode(self, request: Request, match: Match, target: Target) -> Asked:
        """One record per row of the inputs. Raises `BadBody`."""
        head, rest = _parts(request)
        data = json_object(head, REMEDY)
        inputs = data.get("inputs")
        if not inputs:
            raise bad("The body has no inputs.", REMEDY)
        if not isinstance(inputs, list):
            raise bad(f"inputs is no list but {describe(inputs)}.", REMEDY)
        tensors = read_all(inputs, RawBytes(rest))
        wish = _wish(data, match, target)
        if wish.id is None and b"x-request-id" in request.headers:
            wish = wish._replace(id=request.headers[b"x-request-id"].decode("latin-1"))
        return Asked(limited(list(records_of(tensors, target.signature.fields))), wish.encode)

    def read(self, match: Match, state: State) -> Response:
        """Health and metadata."""
        if match.operation == "server":
            server = {"name": "modelwright", "version": __version__, "extensions": ["binary_tensor_data"]}
            return Response(200, orjson.dumps(server))
        if match.operation == "live":
            return Response(200, b'{"live":true}')
        targets = match.endpoint.named(match.model, match.version)
        if match.operation != "ready" and not targets:
            return answers.not_served(match)
        if match.operation == "model":
            return Response(200, orjson.dumps(_metadata(match, targets)))
        ready = state.is_ready(match)
        name = {"name": match.model} if match.model else {}
        return Response(200 if ready else 503, orjson.dumps({**name, "ready": ready}))

    def refusal(self, response: Response) -> Response:
        """`{"error": "..."}`."""
        return as_error(response)


def _parts(request: Request) -> tuple[bytes, bytes]:
    """The JSON and the bytes after it. Raises `BadBody`."""
    length = request.headers.get(LENGTH)
    if length is None:
        return request.body, b""
    count = int(length) if length.isdigit() and len(length) < 19 else -1
    if not 0 <= count <= len(request.body):
        told = length[:40].decode("latin-1")
        detail = f"Inference-Header-Content-Length is {told}, but the body has {len(request.body)} bytes."
        raise bad(detail, "Send the number of bytes of the JSON that begins the body.")
    return request.body[:count], request.body[count:]


def _wish(data: dict[str, Any], match: Match, target: Target) -> _Wish:
    given, parameters, wanted = data.get("id"), data.get("parameters") or {}, data.get("outputs") or []
    if given is not None and not isinstance(given, str):
        raise bad(f"id is {describe(given)}.", "Send a text as id, or none.")
    if not isinstance(parameters, dict):
        raise bad(f"parameters is {describe(parameters)}.", "Send an object, or none.")
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise bad(f"outputs is {describe(wanted)}.", 'Send [{"name": ...}, ...], or none for all outputs.')
    in_bytes = parameters.get("binary_data_output") is True
    outputs = dict(_wanted(one, target.signature.outputs, in_bytes) for one in wanted)
    return _Wish(given, match.model, outputs, in_bytes)


def _wanted(one: dict[str, Any], fields: Sequence[Field], in_bytes: bool) -> tuple[str, bool]:
    name, parameters = one.get("name"), one.get("parameters") or {}
    known = (*names_of(fields), PROBABILITIES)
    if name not in known:
        raise bad(f"The model has no output {quoted(name)}.", f"Ask for {', '.join(known)}, or for none in particular.")
    if not isinstance(parameters, dict):
        raise bad(f"The parameters of the output {name} are {describe(parameters)}.", "Send an object, or none.")
    if parameters.get("classification"):
        raise bad("The extension for classification is not spoken.", f"Ask for the output {PROBABILITIES}.")
    return name, bool(parameters.get("binary_data", in_bytes))


def _metadata(match: Match, targets: Sequence[Target]) -> dict[str, Any]:
    signature = targets[0].signature
    outputs = signature.outputs
    named = zip(names_of(outputs), outputs, strict=False)
    return {
        "name": match.model,
        "versions": sorted({str(target.version) for target in targets}, key=int),
        "platform": "mlflow",
        "inputs": [_described(field.name or NAMELESS, field) for field in signature.fields],
        "outputs": [_described(name, field) for name, field in named],
    }


def _described(name: str, field: Field) -> dict[str, Any]:
    return {"name": name, "datatype": of_field(field), "shape": shape_of(field)}
