"""States of a batch job and what may follow what."""

from django.db import models

from modelwright.core.states import StateMachine

BATCH = StateMachine(
    "batch job",
    {
        "queued": frozenset({"running", "failed", "cancelled"}),
        # Queued again when its host was lost: what is stored stays.
        "running": frozenset({"succeeded", "failed", "cancelled", "queued"}),
        "succeeded": frozenset(),
        "failed": frozenset({"queued"}),
        "cancelled": frozenset({"queued"}),
    },
)
LIVE = ("queued", "running")


class BatchState(models.TextChoices):
    """See `BATCH` for the order."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
