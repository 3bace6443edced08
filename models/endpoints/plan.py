"""What should run and what should serve, decided from plain facts: no database, no clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.endpoints.states import UNDER_WAY

# So many versions of an endpoint stay warm, so that going back is a change of the route table alone.
WARM_VERSIONS = 2


@dataclass(frozen=True)
class Wish:
    """A deployment as far as the plan needs it. `is_way_back` says whether a rollback may go back to it."""

    id: UUID
    number: int
    state: str
    versions: tuple[UUID, ...]
    is_way_back: bool


@dataclass(frozen=True)
class Plan:
    """`candidate` is on its way to serve, `live` serves, `overtaken` were on their way and are not any more.

    `wanted` are the versions whose replicas should run, the most important first.
    """

    candidate: Wish | None
    live: Wish | None
    overtaken: tuple[Wish, ...]
    wanted: tuple[UUID, ...]


def make_plan(wishes: Sequence[Wish], *, is_active: bool) -> Plan:
    """Decide for one endpoint. `wishes` are its newest deployments in any order."""
    if not is_active:
        return Plan(None, None, (), ())
    newest_first = sorted(wishes, key=lambda wish: wish.number, reverse=True)
    on_their_way = [wish for wish in newest_first if wish.state in UNDER_WAY]
    live = next((wish for wish in newest_first if wish.state == "live"), None)
    # What was asked for later may have gone live before, as a rollback to warm versions does.
    newer = [wish for wish in on_their_way if live is None or wish.number > live.number]
    candidate = newer[0] if newer else None
    overtaken = tuple(wish for wish in on_their_way if wish is not candidate)
    return Plan(candidate, live, overtaken, _wanted(candidate, live, newest_first))


def _wanted(candidate: Wish | None, live: Wish | None, newest_first: Sequence[Wish]) -> tuple[UUID, ...]:
    needed = [version for wish in (live, candidate) if wish is not None for version in wish.versions]
    kept = list(dict.fromkeys(needed))
    is_last = candidate is None
    for wish in newest_first:
        if wish.state != "superseded" or not wish.is_way_back or not kept:
            continue
        for version in wish.versions:
            # What served last stays warm whole, however many versions it has: half a graph cannot answer.
            if version not in kept and (is_last or len(kept) < WARM_VERSIONS):
                kept.append(version)
        is_last = False
    return tuple(kept)


def serving(plan: Plan, healthy: Collection[UUID]) -> Wish | None:
    """The deployment that the route table should name: the candidate once all its versions are healthy."""
    if plan.candidate is not None and all(version in healthy for version in plan.candidate.versions):
        return plan.candidate
    return plan.live
