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


CONSENT = StateMachine(
    "consent",
    {
        "requested": frozenset({"given", "refused", "withdrawn"}),
        # What may be done once is used up by it. What was given may be taken back; what serves goes on.
        "given": frozenset({"used", "revoked"}),
        "refused": frozenset(),
        "withdrawn": frozenset(),
        "used": frozenset(),
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


class ConsentState(models.TextChoices):
    """See `CONSENT` for the order."""

    REQUESTED = "requested", "Requested"
    GIVEN = "given", "Given"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"
    USED = "used", "Used"
    REVOKED = "revoked", "Taken back"
