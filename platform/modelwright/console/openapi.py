"""The REST API as its documentation page shows it, from the same schema that `/api/schema/` answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

METHODS = ("get", "post", "put", "patch", "delete")
MAX_DEPTH = 6
_PLACEHOLDERS = {
    "uuid": "019ab3c4-0000-7000-8000-000000000000",
    "date-time": "2026-11-26T12:00:00Z",
    "email": "ann@company.example",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation."""

    status: str
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of an address."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Field]
    body: list[Field]
    body_example: str
    answers: list[Answer]
    problems: list[Answer]
    curl: str

    @property
    def tone(self) -> str:
        """The colour of the method's label."""
        return {"GET": "busy", "DELETE": "bad"}.get(self.method, "ok")


@dataclass(frozen=True, slots=True)
class Group:
    """The operations under one tag."""

    name: str
    operations: list[Operation] = field(default_factory=list)


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The OpenAPI document. Computed once: that of a running process does not change."""
    made: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return made


@lru_cache(maxsize=1)
def document_text() -> bytes:
    """The OpenAPI document as JSON."""
    return json.dumps(document(), indent=2).encode()


@lru_cache(maxsize=1)
def groups() -> list[Group]:
    """Every operation by tag."""
    schema = document()
    found: dict[str, Group] = {}
    for path, operations in schema.get("paths", {}).items():
        for method in METHODS:
            if method in operations:
                tag = (operations[method].get("tags") or ["other"])[0]
                operation = _operation(schema, path, method, operations[method])
                found.setdefault(tag, Group(tag)).operations.append(operation)
    return [found[name] for name in sorted(found)]


def _operation(schema: dict[str, Any], path: str, method: str, raw: dict[str, Any]) -> Operation:
    summary, _, rest = (raw.get("description") or raw.get("summary") or "").strip().partition("\n")
    body_schema = _resolve(schema, _json_schema(raw.get("requestBody", {})))
    example = _example(schema, body_schema) if body_schema else None
    body_example = "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
    answers = [
        Answer(status, answer.get("description", ""), _answer_example(schema, answer))
        for status, answer in sorted(raw.get("responses", {}).items())
    ]
    return Operation(
        id=raw.get("operationId", f"{method}{path}"),
        method=method.upper(),
        path=path,
        summary=summary or raw.get("operationId", ""),
        description=rest.strip(),
        parameters=[_parameter(schema, one) for one in raw.get("parameters", [])],
        body=_fields(schema, body_schema),
        body_example=body_example,
        answers=[answer for answer in answers if answer.status < "4"],
        problems=[answer for answer in answers if answer.status >= "4"],
        curl=_curl(path, method, example),
    )


def _json_schema(body: dict[str, Any]) -> dict[str, Any]:
    for kind, content in body.get("content", {}).items():
        if "json" in kind:
            found: dict[str, Any] = content.get("schema", {})
            return found
    return {}


def _answer_example(schema: dict[str, Any], answer: dict[str, Any]) -> str:
    body = _json_schema(answer)
    return json.dumps(_example(schema, body), indent=2, ensure_ascii=False) if body else ""


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    if len(node.get("allOf", [])) == 1:
        return _resolve(schema, node["allOf"][0]) | {key: value for key, value in node.items() if key != "allOf"}
    return node


def _kind(schema: dict[str, Any], raw: dict[str, Any]) -> str:
    node = _resolve(schema, raw)
    if "enum" in node:
        return "one of " + ", ".join(json.dumps(value) for value in node["enum"])
    choices = node.get("oneOf") or node.get("anyOf")
    if choices:
        return " or ".join(dict.fromkeys(_kind(schema, one) for one in choices))
    kind = node.get("type", "any")
    names = kind if isinstance(kind, list) else [kind]
    if "array" in names:
        return f"list of {_kind(schema, node.get('items', {}))}"
    text = " or ".join(str(name) for name in names)
    return f"{text} ({node['format']})" if node.get("format") else text


def _parameter(schema: dict[str, Any], raw: dict[str, Any]) -> Field:
    kind = f"{raw['in']}, {_kind(schema, raw.get('schema', {}))}"
    return Field(raw["name"], kind, raw.get("required", False), raw.get("description", ""))


def _fields(schema: dict[str, Any], body: dict[str, Any]) -> list[Field]:
    required = set(body.get("required", []))
    return [
        Field(name, _kind(schema, node), name in required, _resolve(schema, node).get("description", ""))
        for name, node in body.get("properties", {}).items()
    ]


def _example(schema: dict[str, Any], raw: dict[str, Any], depth: int = 0) -> Any:
    node = _resolve(schema, raw)
    for name in ("example", "default"):
        if node.get(name) is not None:
            return node[name]
    if "enum" in node:
        return node["enum"][0]
    choices = node.get("oneOf") or node.get("anyOf")
    if choices:
        return _example(schema, choices[0], depth)
    kind = node.get("type", "object")
    kind = next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind
    if depth >= MAX_DEPTH:
        return None
    if kind == "object":
        return {name: _example(schema, one, depth + 1) for name, one in node.get("properties", {}).items()}
    if kind == "array":
        return [_example(schema, node.get("items", {}), depth + 1)]
    usual: dict[str, Any] = {"integer": 1, "number": 0.5, "boolean": True, "null": None}
    return usual.get(kind, _PLACEHOLDERS.get(node.get("format", ""), "text"))


def _curl(path: str, method: str, example: Any) -> str:
    parts = [f"curl -X {method.upper()}" if method != "get" else "curl"]
    parts.append('-H "Authorization: Bearer $MODELWRIGHT_TOKEN"')
    if example is not None:
        parts.append("-H 'Content-Type: application/json'")
        # A quote inside single quotes ends them for the shell.
        parts.append("-d '" + json.dumps(example, ensure_ascii=False).replace("'", "'\\''") + "'")
    parts.append(f"'{settings.WEB_URL}{path}'")
    return " \\\n  ".join(parts)


def first_request() -> str:
    """A request to begin with."""
    return _curl("/api/v1/me/", "get", None)
