"""What a rollback of an endpoint would go back to."""

from __future__ import annotations

from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.endpoints.selectors import default_rollback
from models.registry.models import ModelVersion

_ROLES = (
    DeploymentTarget.Role.LIVE,
    DeploymentTarget.Role.CANARY,
    DeploymentTarget.Role.FALLBACK,
    DeploymentTarget.Role.NODE,
)


def way_back(endpoint: Endpoint) -> Deployment | None:
    """The deployment that a rollback would repeat, None where nothing served before."""
    return default_rollback(endpoint)


def versions_of(deployment: Deployment | None) -> list[ModelVersion]:
    """The versions that must answer for it to serve: all but shadows."""
    targets = deployment.targets.all() if deployment is not None else ()
    return [target.model_version for target in targets if target.role in _ROLES]


def versions_back(endpoint: Endpoint) -> list[ModelVersion]:
    """The versions of the way back."""
    return versions_of(way_back(endpoint))
