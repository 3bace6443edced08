"""How an endpoint is called: an example of its records, and a line for curl in each protocol."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from django.conf import settings

from models.endpoints.models import Deployment, Endpoint
from models.endpoints.taking import taken_by
from models.gateway import examples
from models.gateway.schemas import example_record
from models.gateway.signature import compile_signature
from models.gateway.words import is_plain
from models.registry.models import ModelVersion

MAX_EXAMPLE_BYTES = 16 * 1024
MAX_SHOWN = 2000


class Call(NamedTuple):
    """One way of asking: the protocol's name for people, and a command line."""

    title: str
    curl: str


_WAYS = (
    ("own", "Modelwright's own", "predict"),
    ("mlflow", "MLflow scoring", "invocations"),
    ("v2", "Open Inference Protocol (V2)", "v2/models/{}/infer"),
    ("tensorflow", "TensorFlow Serving", "v1/models/{}:predict"),
)


def example_of(version: ModelVersion, redacted: Collection[str]) -> dict[str, Any] | None:
    """The version's example in the order of its columns, without those that are redacted; None where there is none, or
    one too large or too odd to be handed around."""
    example = version.example
    if not isinstance(example, dict):
        return None
    columns = [column.get("name") for column in (version.signature or {}).get("inputs", [])]
    ordered = {**{name: example[name] for name in columns if name in example}, **example}
    kept = without(ordered, redacted)
    return kept if kept and is_plain(kept) and len(json.dumps(kept)) <= MAX_EXAMPLE_BYTES else None


def without(example: Mapping[str, Any] | None, redacted: Collection[str]) -> dict[str, Any] | None:
    """The example without the columns that are redacted."""
    return {name: value for name, value in (example or {}).items() if name not in redacted} or None


def calls_of(endpoint: Endpoint, live: Deployment | None) -> list[Call]:
    """A command line for each protocol, with a record that the live version takes."""
    taken = taken_by(live) if live else None
    base = f"{settings.GATEWAY_URL}/{endpoint.path}"
    if taken is None:
        return [Call(_WAYS[0][1], _curl(f"{base}/predict", {"records": [{"column": 1}]}))]
    signature = compile_signature(taken.signature)
    example = taken.example or {} if taken.is_graph else example_of(taken.version, endpoint.redacted_columns)
    record = example_record(signature, without(example, endpoint.redacted_columns)) or {"column": 1}
    model = quote(endpoint.name if taken.is_graph else taken.version.model.name, safe="")
    return [
        Call(title, _curl(f"{base}/{path.format(model)}", examples.BY_PROTOCOL[protocol](record, signature.fields)))
        for protocol, title, path in _WAYS
    ]


def document_address(endpoint: Endpoint) -> str:
    """Where the endpoint's OpenAPI document is, for whoever has a key."""
    return f"{settings.GATEWAY_URL}/{endpoint.path}/openapi.json"


def _curl(url: str, body: dict[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=False).replace("'", "'\\''")
    data = f"'{text}'" if len(text) <= MAX_SHOWN else "@body.json"
    return "\n".join(
        [
            f"curl -X POST {url} \\",
            "  -H 'Authorization: Bearer <key>' -H 'Content-Type: application/json' \\",
            f"  -d {data}",
        ]
    )
