"""States of re-executions and what may follow what."""

from django.db import models

from modelwright.core.states import StateMachine

REEXECUTION = StateMachine(
    "re-execution",
    {
        "queued": frozenset({"running", "same", "different", "failed"}),
        "running": frozenset({"same", "different", "failed"}),
        "same": frozenset(),
        "different": frozenset(),
        "failed": frozenset(),
    },
)


class ReexecutionState(models.TextChoices):
    """See `REEXECUTION` for the order."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SAME = "same", "Same answer"
    DIFFERENT = "different", "Different answer"
    FAILED = "failed", "Failed"
