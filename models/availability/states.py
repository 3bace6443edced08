"""States of an alert and what may follow what."""

from django.db import models

from modelwright.core.states import StateMachine

ALERT = StateMachine("alert", {"open": frozenset({"closed"}), "closed": frozenset()})


class AlertState(models.TextChoices):
    """See `ALERT` for the order."""

    OPEN = "open", "Open"
    CLOSED = "closed", "Closed"
