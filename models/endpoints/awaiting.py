"""Waits a moment for what is about to happen, so that the answer can tell of it."""

from __future__ import annotations

import time

from django.db import connection

from models.endpoints.estimating import is_warm
from models.endpoints.models import Deployment
from models.endpoints.states import UNDER_WAY

LONGEST_SECONDS = 1.0
PAUSE_SECONDS = 0.005


def wait_until_live(deployment: Deployment, *, seconds: float = LONGEST_SECONDS) -> bool:
    """Whether the deployment came to serve in that time. Does not wait for one that has a version to start first, nor
    in a transaction, before whose end nobody knows of the deployment."""
    if connection.in_atomic_block or not is_warm(deployment):
        return False
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        deployment.refresh_from_db(fields=["state"])
        if deployment.state not in UNDER_WAY:
            return deployment.state == "live"
        time.sleep(PAUSE_SECONDS)
    return False
