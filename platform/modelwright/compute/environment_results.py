"""Takes over what an environment build left: the lock, or why there is none."""

from __future__ import annotations

import json
from typing import Any

from django.utils import timezone

from modelwright.compute import transitions
from modelwright.compute.environments.build import lock_digest
from modelwright.compute.layout import work_folder
from modelwright.compute.models import Environment, EnvironmentRequest, Workload

RESULT = "result.json"
MAX_RESULT_BYTES = 8 * 1024 * 1024


def take_result(workload: Workload) -> None:
    """Makes the requests that waited for this build ready or failed. Called in the transaction of the build's end."""
    Workload.objects.filter(pk=workload.pk).update(collected_at=timezone.now())
    for request in EnvironmentRequest.objects.filter(workload=workload, state="building"):
        result = _read(workload)
        if workload.state == "succeeded" and result.get("ok") is True and _is_sound(result, request):
            environment = _environment(workload, request, result)
            reason = storable(str(result.get("reason", "")))
            transitions.environment_ready(request, environment=environment, reason=reason)
        else:
            error = str(result.get("error") or workload.detail or "The build left no result.")
            remedy = str(result.get("remedy") or "See the log of the build, then start again.")
            transitions.environment_failed(request, error=storable(error), remedy=storable(remedy))


def _is_sound(result: dict[str, Any], request: EnvironmentRequest) -> bool:
    # The digest becomes a folder's name, and packages' own build code ran beside the script that wrote it.
    lock, size = result.get("lock"), result.get("size_bytes")
    if not isinstance(lock, str) or storable(lock) != lock or not isinstance(size, int) or not 0 <= size < 2**63:
        return False
    return result.get("digest") == lock_digest(lock, request.python_version)


def storable(text: str) -> str:
    """The text without what PostgreSQL refuses: NUL and halves of surrogate pairs."""
    return text if text.isascii() and "\0" not in text else text.encode(errors="replace").decode().replace("\0", "")


def _environment(workload: Workload, request: EnvironmentRequest, result: dict[str, Any]) -> Environment:
    environment, created = Environment.objects.get_or_create(
        lock_digest=str(result["digest"]),
        defaults={
            "lock": str(result["lock"]),
            "python_version": request.python_version,
            "size_bytes": result["size_bytes"],
            "build": workload,
        },
    )
    if not created:
        transitions.environment_present(environment, present=True)
    return environment


def _read(workload: Workload) -> dict[str, Any]:
    folder = work_folder(workload)
    try:
        if folder is None:
            return {}
        with (folder / RESULT).open("rb") as stream:
            value = json.loads(stream.read(MAX_RESULT_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
