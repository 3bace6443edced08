"""Has a rollback serve by what the route table says itself of the deployment that it repeats: which versions, and where
they answer. Nothing else of the endpoint is looked at, so it takes a fraction of `hastening.hasten`, which does what
cannot be done so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from models.endpoints import routes
from models.endpoints.asked import Asked
from models.endpoints.estimating import answering
from models.endpoints.hastening import is_taken_up
from models.endpoints.models import Deployment
from models.endpoints.publishing import WARM_IN_TABLE
from models.endpoints.settling import go_live
from models.endpoints.states import EndpointState

Entry = Mapping[str, Any]
# What of an endpoint's entry is its deployment's, and what of that makes its answers.
_IDS = ("deployment_id", "deployment_number")
_CONTENT = ("routing", "fallback", "graph", "targets")


def switch(deployment: Deployment) -> bool:
    """Make the rollback serve, which was just asked for. Whether this call made it live: not where the table does not
    know what it repeats, a replica of that does not answer any more, or something newer was asked for."""
    endpoint = deployment.endpoint
    seen = Asked(endpoint.path, (EndpointState.ACTIVE, deployment.number))

    def make(now: Entry | None) -> dict[str, Any] | None:
        return switched(now, deployment, set(answering(endpoint).values_list("socket", flat=True)))

    published = routes.publish_one(endpoint, make, seen=seen)
    if published is None or endpoint.path in published.left:
        return False
    return is_taken_up(published.revision) and go_live(endpoint, deployment, seen)


def switched(now: Entry | None, deployment: Deployment, sockets: Collection[str]) -> dict[str, Any] | None:
    """The endpoint's entry once the deployment serves, made of the one by which it is served `now`. None where that
    does not name the repeated deployment as warm, or none of the `sockets` that answer is one of a target's."""
    if now is None or now.get("state") != "active" or "rolled_back" in now:
        return None
    warm = now.get("warm") or ()
    back = next((one for one in warm if one["deployment_id"] == str(deployment.repeats_id)), None)
    if back is None:
        return None
    targets = [{**one, "sockets": [each for each in one["sockets"] if each in sockets]} for one in back["targets"]]
    if not all(one["sockets"] for one in targets):
        return None
    before = {name: now[name] for name in (*_IDS, *_CONTENT)}
    others = [one for one in warm if _answers_by(one) != _answers_by(back)]
    return {
        **now,
        **back,
        "targets": targets,
        "deployment_id": str(deployment.pk),
        "deployment_number": deployment.number,
        "next_number": deployment.number + 1,
        "warm": [before, *others][:WARM_IN_TABLE],
    }


def _answers_by(entry: Entry) -> list[Any]:
    targets = sorted((one["model_version_id"], one["weight"], one["role"]) for one in entry["targets"])
    return [targets, *(entry[name] for name in _CONTENT[:-1])]
