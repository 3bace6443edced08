"""States of replays and drills, and what may follow what."""

from django.db import models

from modelwright.core.states import StateMachine

REPLAY = StateMachine(
    "replay",
    {
        "queued": frozenset({"running", "passed", "failed", "broken", "cancelled"}),
        "running": frozenset({"passed", "failed", "broken", "cancelled"}),
        "passed": frozenset(),
        "failed": frozenset(),
        "broken": frozenset(),
        "cancelled": frozenset(),
    },
)
DRILL = StateMachine(
    "drill",
    {
        "queued": frozenset({"starting", "asking", "passed", "failed"}),
        "starting": frozenset({"asking", "passed", "failed"}),
        "asking": frozenset({"passed", "failed"}),
        "passed": frozenset(),
        "failed": frozenset(),
    },
)
REPLAY_UNDER_WAY = ("queued", "running")
DRILL_UNDER_WAY = ("queued", "starting", "asking")


class ReplayState(models.TextChoices):
    """See `REPLAY` for the order. A broken one came to no result."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
    BROKEN = "broken", "No result"
    CANCELLED = "cancelled", "Cancelled"


class DrillState(models.TextChoices):
    """See `DRILL` for the order."""

    QUEUED = "queued", "Queued"
    STARTING = "starting", "Starting"
    ASKING = "asking", "Being asked"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
