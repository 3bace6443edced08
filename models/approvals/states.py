"""States of a promotion and what may follow what."""

from django.db import models

from modelwright.core.states import StateMachine

PROMOTION = StateMachine(
    "promotion",
    {
        "requested": frozenset({"approved", "refused", "withdrawn"}),
        # What was approved may be taken back; what serves goes on until it is changed.
        "approved": frozenset({"revoked"}),
        "refused": frozenset(),
        "withdrawn": frozenset(),
        "revoked": frozenset(),
    },
)


class PromotionState(models.TextChoices):
    """See `PROMOTION` for the order."""

    REQUESTED = "requested", "Requested"
    APPROVED = "approved", "Approved"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"
    REVOKED = "revoked", "Taken back"
