"""What drf-spectacular does not know: every operation may answer with a problem document."""

from __future__ import annotations

from typing import Any

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
    "412": "`If-Match` names a version that is no longer current.",
    "415": "The body is not JSON.",
    "422": "Some of the input is not valid.",
    "503": "A part that is needed does not answer now.",
}


def add_problem_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: add the Problem schema and the error answers to every operation."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            for status, description in _ALWAYS.items():
                operation["responses"].setdefault(status, {"description": description, "content": content})
    return result
