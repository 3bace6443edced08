"""The only code that writes the states of endpoints and deployments. False means that somebody else was first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from models.endpoints.models import Deployment, Endpoint
from models.endpoints.states import DEPLOYMENT, ENDPOINT
from modelwright.core.states import move


def _move(deployment: Deployment, to: str, **changes: Any) -> bool:
    return move(Deployment.objects.filter(pk=deployment.pk), machine=DEPLOYMENT, to=to, **changes)


def start(deployment: Deployment) -> bool:
    """Its replicas are being started."""
    return _move(deployment, "starting", detail="")


def go_live(deployment: Deployment, *, at: datetime | None = None) -> bool:
    """The gateway serves it, `at` some time or from now on. The one that was live must have been superseded in the same
    transaction."""
    return _move(deployment, "live", live_at=at or timezone.now(), detail="")


def supersede(deployment: Deployment, *, detail: str = "") -> bool:
    """Another one has taken its place, or the endpoint was stopped."""
    return _move(deployment, "superseded", ended_at=timezone.now(), detail=detail)


def fail(deployment: Deployment, *, detail: str) -> bool:
    """It could not be brought to serve."""
    return _move(deployment, "failed", ended_at=timezone.now(), detail=detail)


def activate(endpoint: Endpoint) -> bool:
    """It answers again."""
    return move(Endpoint.objects.filter(pk=endpoint.pk), machine=ENDPOINT, to="active")


def retire(endpoint: Endpoint) -> bool:
    """It answers no more, and nothing is held for it."""
    return move(Endpoint.objects.filter(pk=endpoint.pk), machine=ENDPOINT, to="retired")


def stop(endpoint: Endpoint) -> bool:
    """It answers no more."""
    return move(Endpoint.objects.filter(pk=endpoint.pk), machine=ENDPOINT, to="stopped")
