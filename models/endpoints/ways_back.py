"""Which earlier deployments a rollback without a name may go back to."""

from __future__ import annotations

import json
from collections.abc import Iterable

from models.endpoints.models import Deployment


def ways_back(live: Deployment, earlier: Iterable[Deployment]) -> list[Deployment]:
    """Of deployments that once served, the latest first: none of the rollout that `live` is a step or the end of, and
    none that answers exactly as `live` does, since going back to it would change nothing."""
    found = [each for each in earlier if live.rollout_id is None or each.rollout_id != live.rollout_id]
    now = _content(live)
    return sorted((each for each in found if _content(each) != now), key=lambda each: each.number, reverse=True)


def _content(deployment: Deployment) -> str:
    """What makes its answers: versions with weights and roles, routing, fallback, graph."""
    targets = sorted((str(each.model_version_id), each.weight, each.role) for each in deployment.targets.all())
    return json.dumps([targets, deployment.routing, deployment.fallback, deployment.graph], sort_keys=True)
