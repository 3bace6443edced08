"""States of a model version and what may follow what."""

from django.db import models

from modelwright.core.states import StateMachine

VERSION = StateMachine(
    "model version",
    {
        "importing": frozenset({"ready", "refused", "failed"}),
        "ready": frozenset(),
        "refused": frozenset(),
        # A person may have it inspected again.
        "failed": frozenset({"importing"}),
    },
)

COMPILED = StateMachine(
    "compiled model",
    {
        "pending": frozenset({"compiling", "impossible", "failed"}),
        "compiling": frozenset({"equal", "different", "impossible", "failed"}),
        # What was proved equal may still not start as a replica.
        "equal": frozenset({"failed"}),
        # A person may have it compiled again.
        "different": frozenset({"pending"}),
        "impossible": frozenset({"pending"}),
        "failed": frozenset({"pending"}),
    },
)


class CompiledState(models.TextChoices):
    """See `COMPILED` for the order. Only what is proved equal is served."""

    PENDING = "pending", "Pending"
    COMPILING = "compiling", "Compiling"
    EQUAL = "equal", "Proved equal"
    DIFFERENT = "different", "Different"
    IMPOSSIBLE = "impossible", "Impossible"
    FAILED = "failed", "Failed"


class VersionState(models.TextChoices):
    """See `VERSION` for the order."""

    IMPORTING = "importing", "Importing"
    READY = "ready", "Ready"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
