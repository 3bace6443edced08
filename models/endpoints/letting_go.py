"""Stops replicas that nobody needs any more, never one that the gateway asks."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from models.endpoints import replicas, routes, sizing
from models.endpoints.models import Replica
from models.endpoints.paths import needless
from models.endpoints.settling import hold
from models.endpoints.viewing import View


def let_go(view: View) -> None:
    """Stop replicas of versions that are neither served nor warm. The published table does not name them."""
    served = view.serving()
    named = {target.model_version_id for target in served.targets.all()} if served else set()
    found = [
        replica
        for version_id, running in view.replicas.items()
        if version_id not in view.plan.wanted and version_id not in named
        for replica in running
        if replica.workload.cancel_requested_at is None
    ]
    _stop(view, found, "Its version is no longer served, nor kept warm.")


def let_go_of_other_paths(view: View, revision: int) -> None:
    """Stop replicas that answer by another path than the wanted one, once the gateway asks those that took over."""
    for version_id in view.plan.wanted:
        wanted, in_use = view.paths[version_id].served_by, view.in_use.get(version_id, "")
        found = [each for each in view.replicas[version_id] if needless(each, wanted=wanted, in_use=in_use)]
        if not found:
            continue
        there = routes.gateway_revision()
        if there is not None and there < revision:
            return
        _stop(view, found, "Its version is answered by another path now.")


def let_go_of_too_many(view: View, revision: int) -> None:
    """Stop replicas beyond what is needed, once the gateway asks the others alone."""
    found = [
        replica
        for version_id in view.plan.wanted
        for replica in sizing.too_many(view.replicas[version_id], view.needed[version_id])
        if replica.socket not in view.sockets.get(version_id, ())
    ]
    if not found:
        return
    there = routes.gateway_revision()
    if any(replica.healthy_at is not None for replica in found) and there is not None and there < revision:
        return
    _stop(view, found, "Fewer replicas of its version are wanted now.")


@transaction.atomic
def _stop(view: View, found: Iterable[Replica], reason: str) -> None:
    """Nothing is stopped that a deployment needs which was asked for since the endpoint was looked at."""
    doomed = list(found)
    if doomed and hold(view.endpoint, view.seen):
        for replica in doomed:
            replicas.stop(replica, reason=reason)
