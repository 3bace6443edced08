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


class VersionState(models.TextChoices):
    """See `VERSION` for the order."""

    IMPORTING = "importing", "Importing"
    READY = "ready", "Ready"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
