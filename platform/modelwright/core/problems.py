"""RFC 9457 problem details."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from modelwright.core.errors import FieldError, PlatformError

CONTENT_TYPE = "application/problem+json"


def problem_body(error: PlatformError) -> dict[str, Any]:
    """Return the members of the problem document for `error`."""
    return {
        "type": f"/docs/problems/#{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "remedy": error.remedy,
        "errors": [{"field": e.field, "message": e.message, "remedy": e.remedy} for e in error.errors],
    }


def problem_response(error: PlatformError) -> JsonResponse:
    """Return a plain Django response for `error`."""
    return JsonResponse(problem_body(error), status=error.status, content_type=CONTENT_TYPE)


def _flatten(detail: Any, prefix: str = "") -> list[FieldError]:
    if isinstance(detail, dict):
        return [e for key, value in detail.items() for e in _flatten(value, f"{prefix}.{key}" if prefix else str(key))]
    if isinstance(detail, list):
        nested = [e for i, v in enumerate(detail) if isinstance(v, dict | list) for e in _flatten(v, f"{prefix}[{i}]")]
        return nested + [FieldError(prefix, str(v)) for v in detail if not isinstance(v, dict | list)]
    return [FieldError(prefix, str(detail))]


_REMEDIES = {
    status.HTTP_401_UNAUTHORIZED: ("not-authenticated", "Send `Authorization: Bearer <token>` with a valid API token."),
    status.HTTP_403_FORBIDDEN: ("permission-refused", "Ask an administrator of the workspace or project for the role."),
    status.HTTP_404_NOT_FOUND: ("not-found", "Check the address and the id in it."),
    status.HTTP_405_METHOD_NOT_ALLOWED: ("method-not-allowed", "See /api/docs/ for the methods of this address."),
    status.HTTP_406_NOT_ACCEPTABLE: ("not-acceptable", "Ask for application/json."),
    status.HTTP_415_UNSUPPORTED_MEDIA_TYPE: (
        "unsupported-media-type",
        "Send JSON with `Content-Type: application/json`.",
    ),
}


def api_exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every error becomes problem+json."""
    if isinstance(exc, PlatformError):
        headers = {"Retry-After": "5"} if exc.status == status.HTTP_503_SERVICE_UNAVAILABLE else {}
        return Response(problem_body(exc), status=exc.status, headers=headers, content_type=CONTENT_TYPE)
    response = exception_handler(exc, context)
    if response is None:
        return None
    code, remedy = _REMEDIES.get(response.status_code, ("error", ""))
    body: dict[str, Any] = {"title": str(getattr(exc, "default_detail", "Error")), "errors": []}
    if isinstance(exc, exceptions.ValidationError):
        errors = _flatten(exc.detail)
        code, remedy = "validation-failed", "Correct the fields named in `errors`."
        response.status_code = 422
        body = {
            "title": "Some of the input is not valid",
            "detail": "; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors),
            "errors": [{"field": e.field, "message": e.message, "remedy": e.remedy} for e in errors],
        }
    elif isinstance(exc, exceptions.ParseError):
        code, remedy = "malformed", "Send a body that is valid JSON."
        body["detail"] = str(exc.detail)
    else:
        body["detail"] = str(getattr(exc, "detail", exc)) or body["title"]
    response.data = {"type": f"/docs/problems/#{code}", "status": response.status_code, "remedy": remedy, **body}
    response.content_type = CONTENT_TYPE
    return response


def is_api(request: HttpRequest) -> bool:
    """Whether the client of this request expects problem+json instead of a page."""
    return request.path.startswith("/api/")
