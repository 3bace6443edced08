"""What was last asked of an endpoint, so that what was decided before that does not overwrite it."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from django.db.models import OuterRef, Subquery

from models.endpoints.models import Deployment, Endpoint


class Asked(NamedTuple):
    """`what` is the endpoint's state and the number of its newest deployment, 0 without one."""

    path: str
    what: tuple[str, int]


# What was asked of an endpoint that nobody has looked at.
NOTHING = Asked("", ("", -1))


def asked(endpoint_ids: Collection[UUID] | None = None) -> dict[UUID, Asked]:
    """By endpoint, all of them or those; as the database has it now."""
    newest = Deployment.objects.filter(endpoint=OuterRef("pk")).order_by("-number").values("number")[:1]
    found = Endpoint.objects.annotate(newest=Subquery(newest))
    if endpoint_ids is not None:
        found = found.filter(pk__in=endpoint_ids)
    rows = found.values_list("pk", "workspace__name", "name", "state", "newest")
    return {id_: Asked(f"{space}/{name}", (state, newest or 0)) for id_, space, name, state, newest in rows}
