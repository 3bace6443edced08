"""Takes over what an environment build left: the lock, or why there is none."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from modelwright.compute import copies, transitions
from modelwright.compute.ending import SYSTEM, wake_queue
from modelwright.compute.environments.build import lock_digest
from modelwright.compute.models import Environment, EnvironmentRequest, Workload
from modelwright.compute.results import RESULT, read_result
from modelwright.compute.selectors import uncollected
from modelwright.compute.services.repeating import repeat_workload, times_repeated
from modelwright.core.errors import PlatformError
from modelwright.core.text import storable

logger = logging.getLogger(__name__)
MOST_REPEATS = 2


def collect() -> int:
    """Take what ended builds left, as their hosts handed it in; return how many. Doing it twice is harmless."""
    done = 0
    for workload in uncollected(Workload.Kind.ENVIRONMENT):
        try:
            done += take_result(workload)
        except (PlatformError, DatabaseError):
            # It stays uncollected, so the next tick tries again.
            logger.exception("collecting %s", workload)
    return done


@transaction.atomic
def take_result(workload: Workload) -> bool:
    """Makes what waited for this build ready or failed, and has the queue looked at. False when that was done before.

    Raises Unavailable while the blob store does not answer.
    """
    ended = Workload.objects.filter(pk=workload.pk, finished_at__isnull=False, collected_at=None)
    if not ended.update(collected_at=timezone.now()):
        return False
    if copies.was_taken_away(workload) and _begin_again(workload):
        return True
    result = read_result(workload, RESULT)
    copies.take_copy_result(workload, result)
    for request in EnvironmentRequest.objects.filter(workload=workload, state="building"):
        if workload.state == "succeeded" and result.get("ok") is True and _is_sound(result, request.python_version):
            environment = _environment(workload, request, result)
            if workload.host is not None:
                copies.enter_copy(environment, workload.host, image=copies.built_image(workload, result))
            reason = storable(str(result.get("reason", "")))
            transitions.environment_ready(request, environment=environment, reason=reason)
        else:
            error = str(result.get("error") or workload.detail or "The build left no result.")
            remedy = str(result.get("remedy") or "See the log of the build, then start again.")
            transitions.environment_failed(request, error=storable(error), remedy=storable(remedy))
    wake_queue()
    return True


def _begin_again(workload: Workload) -> bool:
    """Repeats a build that went with its host, for whoever waits for it. False when it was repeated often enough.

    One that was for that host alone is not.
    """
    waiting = EnvironmentRequest.objects.filter(workload=workload, state="building")
    if workload.pinned_host_id or times_repeated(workload) >= MOST_REPEATS or not waiting.exists():
        return False
    again = repeat_workload(workload, secret_variables={}, retryable=False, acting_user=SYSTEM)
    waiting.update(workload=again)
    return True


def _is_sound(result: dict[str, Any], python: str) -> bool:
    # The digest becomes a folder's name, and packages' own build code ran beside the script that wrote it.
    lock, size = result.get("lock"), result.get("size_bytes")
    if not isinstance(lock, str) or storable(lock) != lock or not isinstance(size, int) or not 0 <= size < 2**63:
        return False
    return result.get("digest") == lock_digest(lock, python)


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
