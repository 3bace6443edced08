"""States of a rollout and what may follow what."""

from django.db import models

from modelwright.core.states import StateMachine

ROLLOUT = StateMachine(
    "rollout",
    {
        # Replicas of the new version start; for blue/green they are asked before anybody else may ask them.
        "pending": frozenset({"running", "stopped", "failed"}),
        "running": frozenset({"paused", "promoted", "completed", "stopped", "failed"}),
        "paused": frozenset({"running", "stopped", "failed"}),
        "promoted": frozenset(),
        "completed": frozenset(),
        "stopped": frozenset(),
        "failed": frozenset(),
    },
)
OPEN = ("pending", "running", "paused")


class RolloutState(models.TextChoices):
    """See `ROLLOUT` for the order."""

    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    PROMOTED = "promoted", "Promoted"
    COMPLETED = "completed", "Completed"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Failed"
