"""Messages to the workers, by the names of their tasks. Each is a hint: whatever is lost or comes twice does no harm.

All answer False when no broker answers; the watcher then does the work.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

from modelwright.core.queues import DEFAULT, host_queue

# After so long, whoever finds a message unanswered does its work.
ANSWERED_WITHIN = timedelta(seconds=3)
# A host that was away does not have to read what nobody waits for any more.
STALE_AFTER_SECONDS = 60

PLACE, LOOK, START = "compute.place_and_start", "compute.look_at_queue", "compute.start"

logger = logging.getLogger(__name__)


def place(workload_id: UUID) -> bool:
    """A workload is queued."""
    return _send(PLACE, str(workload_id), queue=DEFAULT)


def look_at_queue() -> bool:
    """There may be room for what waits."""
    return _send(LOOK, queue=DEFAULT)


def start(workload_id: UUID, host_name: str) -> bool:
    """A workload is placed on that host, whose workers start it."""
    return _send(START, str(workload_id), queue=host_queue(host_name))


def _send(task: str, *arguments: str, queue: str) -> bool:
    try:
        current_app.send_task(task, arguments, queue=queue, expires=STALE_AFTER_SECONDS)
    except (OperationalError, OSError) as error:
        logger.warning("no message %s%s: %s", task, arguments, error)
        return False
    return True
