"""States of sinks and of what a sink would not take, and what may follow what."""

from __future__ import annotations

from django.db import models

from modelwright.core.states import StateMachine

SINK = StateMachine("event sink", {"active": frozenset({"paused"}), "paused": frozenset({"active"})})

LETTER = StateMachine(
    "dead letter",
    {
        "dead": frozenset({"due", "discarded"}),
        "held": frozenset({"due", "discarded"}),
        # One that fails again is dead again, and those of its key that would have followed wait again.
        "due": frozenset({"delivered", "dead", "held", "discarded"}),
        "delivered": frozenset(),
        "discarded": frozenset(),
    },
)
OPEN = ("dead", "held", "due")


class SinkState(models.TextChoices):
    """Whether events are sent to it."""

    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"


class LetterState(models.TextChoices):
    """See `LETTER` for the order."""

    DEAD = "dead", "Refused"
    HELD = "held", "Waits behind a refused one"
    DUE = "due", "To be sent again"
    DELIVERED = "delivered", "Delivered"
    DISCARDED = "discarded", "Discarded"
