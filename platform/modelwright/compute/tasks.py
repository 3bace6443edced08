"""Celery's way in. A message is a hint: whatever is lost or comes twice does no harm."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from kombu.exceptions import OperationalError

from modelwright.compute import placement
from modelwright.compute.layout import local_backend

# After so long, whoever finds a message unanswered does its work.
HINT_ANSWERED_WITHIN = timedelta(seconds=3)

logger = logging.getLogger(__name__)


@shared_task(name="compute.place_and_start", ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
def place_and_start(workload_id: str) -> None:
    """Places the workload and starts it, unless that was done or has to wait."""
    placement.place_and_start(UUID(workload_id), local_backend())


def send_hint(workload_id: UUID) -> bool:
    """Tells the workers about a queued workload. False when no broker answers; the watcher then does their work."""
    try:
        place_and_start.delay(str(workload_id))
    except (OperationalError, OSError) as error:
        logger.warning("no hint for workload %s: %s", workload_id, error)
        return False
    return True
