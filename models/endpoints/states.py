"""States of endpoints and deployments, and what may follow what."""

from django.db import models

from modelwright.core.states import StateMachine

ENDPOINT = StateMachine(
    "endpoint",
    {
        "active": frozenset({"stopped", "retired"}),
        "stopped": frozenset({"active", "retired"}),
        "retired": frozenset({"active"}),
    },
)

DEPLOYMENT = StateMachine(
    "deployment",
    {
        "pending": frozenset({"starting", "failed", "superseded"}),
        "starting": frozenset({"live", "failed", "superseded"}),
        "live": frozenset({"superseded"}),
        "failed": frozenset(),
        "superseded": frozenset(),
    },
)
UNDER_WAY = ("pending", "starting")


class EndpointState(models.TextChoices):
    """Whether the endpoint answers, once something is deployed to it."""

    ACTIVE = "active", "Active"
    STOPPED = "stopped", "Stopped"
    RETIRED = "retired", "Retired"


class DeploymentState(models.TextChoices):
    """See `DEPLOYMENT` for the order."""

    PENDING = "pending", "Pending"
    STARTING = "starting", "Starting"
    LIVE = "live", "Live"
    SUPERSEDED = "superseded", "Superseded"
    FAILED = "failed", "Failed"
