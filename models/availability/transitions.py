"""The only code that writes the states of alerts. False means that somebody else was first."""

from __future__ import annotations

from django.utils import timezone

from models.availability.models import AvailabilityAlert
from models.availability.states import ALERT
from modelwright.core.states import move


def close(alert: AvailabilityAlert) -> bool:
    """It does not go on."""
    return move(AvailabilityAlert.objects.filter(pk=alert.pk), machine=ALERT, to="closed", ended_at=timezone.now())
