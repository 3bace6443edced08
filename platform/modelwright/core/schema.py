"""The OpenAPI schema: names, groups and headers of operations, and the problem documents that they may answer with."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="A fresh UUID for each thing that you want made. A retry under the same key gets the first answer "
    "again with the header `Idempotent-Replay: true`; another request under it is refused with 409.",
)
# The group of a room whose name is not the word that people know it by.
_GROUPS = {
    "console": "audit",
    "files": "projects",
    "importing": "projects",
    "observability": "health",
    "pushes": "jobs",
    "registry": "models",
    "variables": "projects",
}
_VERBS = {"get": "get", "post": "create", "put": "set", "patch": "change", "delete": "delete"}


class PlatformSchema(AutoSchema):
    """Reads what the views declare: the permission, `Idempotency-Key`, the first sentence as the summary.

    An operation is named after its address and what it does, such as `workspaces_projects_create`; a POST to an
    address that is no list is named after the address alone, such as `hosts_drain`. It stands in the group of its room.
    """

    def get_operation_id(self) -> str:
        """See the class."""
        words = [word.replace("-", "_") for word in self._tokenize_path()]
        is_list = type(self.view).__name__.endswith("ListView")
        if self.method == "POST" and not is_list:
            return "_".join(words)
        verb = "list" if is_list and self.method == "GET" else _VERBS[self.method.lower()]
        return "_".join([*words, verb])

    def get_tags(self) -> list[str]:
        """The room of the view."""
        room = type(self.view).__module__.rsplit(".", 2)[-2]
        return [_GROUPS.get(room, room)]

    def get_summary(self) -> str:
        """The first sentence of the method's docstring."""
        return re.split(r"(?<=[.:;]) |\n", super().get_description(), maxsplit=1)[0].rstrip(".:;")

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular's own
        """The method's docstring and the permission that it takes."""
        permission = getattr(self.view, "permissions", {}).get(self.method, "")
        needs = {"signed-in": "Anybody who is signed in may.", "public": "It needs no sign-in."}
        said = needs.get(permission, f"It takes the permission `{permission}`.")
        return f"{super().get_description()}\n\n{said}"

    def get_override_parameters(self) -> list[Any]:
        """The headers that the method honours."""
        method = getattr(self.view, self.method.lower())
        return [IDEMPOTENCY_KEY] if getattr(method, "is_idempotent", False) else []


_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "remedy", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened and why."},
        "remedy": {"type": "string", "description": "What to do next."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message", "remedy"],
                "properties": {
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                    "remedy": {"type": "string"},
                },
            },
        },
    },
}

_ALWAYS = {
    "400": "The body or a header is malformed.",
    "401": "No valid token or session.",
    "403": "The role does not allow it.",
    "404": "There is no such thing, or it is not yours to see.",
    "406": "The answer is not to be had in the format asked for.",
    "409": "The present state does not allow it.",
    "415": "The body is not JSON.",
    "422": "Some of the input is not valid.",
    "503": "A part that is needed does not answer now.",
}
_STALE = "`If-Match` names a version that is no longer current."


def allow_any_null(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: anything or null is anything; `oneOf` of the two would let no null through."""
    _simplify(result)
    return result


def _simplify(node: Any) -> None:
    if isinstance(node, dict):
        if node.get("oneOf") == [{}, {"type": "null"}]:
            del node["oneOf"]
        for value in node.values():
            _simplify(value)
    elif isinstance(node, list):
        for value in node:
            _simplify(value)


def add_problem_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: add the Problem schema and the error answers to every operation."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result.get("paths", {}).values():
        has_tag = any("If-Match" in _headers(operation) for operation in operations.values())
        for method, operation in operations.items():
            named = _headers(operation)
            answers = _ALWAYS | ({"412": _STALE} if "If-Match" in named else {})
            for status, description in answers.items():
                operation["responses"].setdefault(status, {"description": description, "content": content})
            operation["responses"]["503"]["headers"] = {"Retry-After": _header("Seconds to wait.", "integer")}
            if has_tag and method in ("get", "patch"):
                operation["responses"]["200"]["headers"] = {"ETag": _header("For `If-Match`.")}
            for status in {"201", "202"} & set(operation["responses"]) if "Idempotency-Key" in named else ():
                operation["responses"][status]["headers"] = {
                    "Idempotent-Replay": _header("`true` on a retry's answer.")
                }
    return result


def _headers(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", []) if one["in"] == "header"}


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}
