"""Asks the gateway for a prediction on behalf of a signed-in person; recorded like any other."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from models.endpoints.keys import internal_key
from models.endpoints.models import Endpoint
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import Conflict, FieldError, PlatformError, Unavailable, ValidationFailed
from projects.selectors import authorize

TIMEOUT_SECONDS = 35
MAX_RECORDS = 100


def try_predict(endpoint: Endpoint, *, records: list[dict[str, Any]], acting_user: Actor) -> dict[str, Any]:
    """The gateway's answer: `prediction_id`, `deployment`, `model`, `version`, `predictions`, maybe `probabilities`.

    Raises PermissionRefused; ValidationFailed, naming each field, where the gateway does; Unavailable.
    """
    authorize(acting_user, Permission.PREDICT, endpoint.project)
    if not 1 <= len(records) <= MAX_RECORDS:
        raise ValidationFailed(
            f"{len(records)} records were given.", remedy=f"Give 1 to {MAX_RECORDS}.", field="records"
        )
    status, content = _post(endpoint, json.dumps({"records": records}).encode())
    if status == 200:
        return content
    raise _error(endpoint, status, content)


def _post(endpoint: Endpoint, body: bytes) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(settings.GATEWAY_INTERNAL_URL)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_SECONDS)
    headers = {"Authorization": f"Bearer {internal_key(endpoint.pk)}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"{parts.path}/{endpoint.path}/predict", body, headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unavailable(
            f"The gateway does not answer: {error}.", remedy="Wait a moment; ask an administrator if it stays so."
        ) from None
    finally:
        connection.close()
    return answer.status, content if isinstance(content, dict) else {}


def _error(endpoint: Endpoint, status: int, content: dict[str, Any]) -> PlatformError:
    detail, remedy = str(content.get("detail") or "The gateway refused."), str(content.get("remedy") or "")
    if status in (401, 404):
        return Conflict(f"{endpoint.name} serves nothing yet.", remedy="Deploy a version and wait until it is live.")
    if status >= 500:
        return Unavailable(detail, remedy=remedy)
    errors = tuple(
        FieldError(str(item.get("field", "")), str(item.get("message", "")), str(item.get("remedy", "")))
        for item in content.get("errors", [])
        if isinstance(item, dict)
    )
    return ValidationFailed(detail, remedy=remedy, errors=errors)
