"""Puts what serves into the route table: every endpoint's entry, or one endpoint's alone."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

from django.db import transaction

from models.endpoints import routes
from models.endpoints.replicas import RECONCILER
from models.endpoints.routes import Publication
from models.endpoints.services import audit, endpoint_target
from models.endpoints.viewing import View
from modelwright.audit.actions import AuditAction

logger = logging.getLogger(__name__)

# So many earlier deployments stand in the table, for whoever must go back without a database.
WARM_IN_TABLE = 3


def entry_of(view: View) -> dict[str, Any] | None:
    """The endpoint's entry; None when nothing is to be served."""
    served, standing = view.serving(), view.standing()
    answers = (view.sockets, view.in_use)
    if served is None:
        return routes.entry(view.endpoint, standing, *answers, is_active=False) if standing is not None else None
    warm = [routes.served(view.endpoint, each, *answers) for each in view.warm()[:WARM_IN_TABLE]]
    entry = routes.entry(view.endpoint, served, *answers)
    return {**entry, "next_number": max(each.number for each in view.deployments.values()) + 1, "warm": warm}


@transaction.atomic
def publish(views: Sequence[View], refused: Collection[str]) -> Publication:
    """Publish the table; what is answered by another path than before is told in the audit log."""
    before = routes.published()
    table = {view.endpoint.path: entry for view in views if (entry := _entry(view, before)) is not None}
    published = routes.publish(table, seen={view.endpoint.pk: view.seen for view in views}, refused=refused)
    for view in views:
        if view.endpoint.path not in published.left:
            _record_switches(view, before, table)
    return published


def publish_one(view: View) -> Publication | None:
    """Publish one endpoint's entry and leave the others. None when it has none that can be served, or something newer
    was asked for it meanwhile."""

    def make(_: object) -> dict[str, Any] | None:
        return entry_of(view)

    return routes.publish_one(view.endpoint, make, seen=view.seen)


def _entry(view: View, before: dict[str, Any]) -> dict[str, Any] | None:
    path = view.endpoint.path
    if not view.in_trouble:
        entry = entry_of(view)
        if entry is None or routes.is_servable(path, entry):
            return entry
        logger.error("the gateway cannot serve deployment %s of %s; what served before stays", view.serving(), path)
        view.in_trouble = True
    kept = routes.kept(view.endpoint, before)
    return kept if kept is not None and routes.is_servable(path, kept) else None


def _record_switches(view: View, before: dict[str, Any], table: dict[str, Any]) -> None:
    for version_id, old, new in routes.switched(before.get(view.endpoint.path), table.get(view.endpoint.path)):
        path = view.paths.get(version_id)
        is_wanted = path is not None and path.served_by == new
        audit(
            AuditAction.ENDPOINT_PATH_SWITCHED,
            endpoint_target(view.endpoint),
            view.endpoint,
            acting_user=RECONCILER,
            before={"model_version": str(version_id), "served_by": old},
            after={"model_version": str(version_id), "served_by": new},
            reason=path.why if path is not None and is_wanted else "Nothing else answers at the moment.",
        )
