"""Has a warm deployment serve at once and waits a moment for it, so that the answer can tell of it."""

from __future__ import annotations

import logging
import time

from django.db import connection

from models.endpoints import routes
from models.endpoints.estimating import is_warm
from models.endpoints.hastening import hasten
from models.endpoints.hints import hint
from models.endpoints.models import Deployment
from models.endpoints.states import UNDER_WAY
from models.endpoints.switching import switch

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 1.0
PAUSE_SECONDS = 0.005


def can_wait() -> bool:
    """Whether what is asked for now can be waited for: not in a transaction, before whose end nobody knows of it."""
    return not connection.in_atomic_block


def wait_until_live(deployment: Deployment, *, seconds: float = LONGEST_SECONDS) -> bool:
    """Whether the deployment came to serve in that time. Does not wait for one that has a version to start first."""
    if not can_wait():
        return False
    until = time.monotonic() + seconds
    if not _hastened_here(deployment):
        hint(deployment.endpoint_id)
        if not is_warm(deployment):
            return False
    while time.monotonic() < until:
        deployment.refresh_from_db(fields=["state", "detail", "live_at", "ended_at"])
        if deployment.state not in UNDER_WAY:
            return deployment.state == "live"
        time.sleep(PAUSE_SECONDS)
    return False


def _hastened_here(deployment: Deployment) -> bool:
    """Whether the newest deployment serves by a switch that was made here, without the way to the watcher and back,
    which may be busy. Only beside the gateway, whose table it is; what cannot be done here is done there."""
    if not routes.routes_file().exists():
        return False
    try:
        return switch(deployment) or hasten(deployment.endpoint_id)
    except Exception:
        # The deployment stands, and whoever asked for it is told so, whatever keeps it from serving at once.
        logger.warning("%s is left to the watcher", deployment, exc_info=True)
        return False
