"""Writes that people ask for: sinks, and what becomes of dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from models.endpoints.models import Endpoint
from models.events import transitions
from models.events.facts import audit, facts_of
from models.events.guarding import check_url
from models.events.letters import open_letters
from models.events.models import MOST_EVENTS, DeadLetter, Family, Sink
from models.events.ordering import head
from models.events.selectors import authorize_for
from models.events.signing import new_secret
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.core.crypto import encrypt
from modelwright.core.errors import Conflict, QuotaExceeded, ValidationFailed
from modelwright.core.saving import insert, update
from projects.models import Project
from workspaces.models import Workspace

NEWEST, OLDEST = "newest", "oldest"
# Of a project, and of a workspace. Each costs a look at every turn of the delivery, which all share.
MOST_SINKS = 20
CHANGEABLE = ("description", "url", "mode", "families", "endpoint_ids")


@transaction.atomic
def create_sink(
    home: Project | Workspace,
    *,
    name: str,
    url: str,
    description: str = "",
    mode: str = Sink.Mode.BATCH,
    families: Sequence[str] = tuple(Family.values),
    endpoint_ids: Sequence[UUID] = (),
    start: str = NEWEST,
    acting_user: Actor,
) -> tuple[Sink, str]:
    """Add a sink for the events of a project, or of all projects of a workspace; return it and its secret, which is not
    shown again. `start`: from now on, or with the oldest event that the stream still has. Raises ValidationFailed,
    Conflict, QuotaExceeded, PermissionRefused."""
    role = authorize_for(acting_user, home)
    _require_room(home)
    secret, now = new_secret(), head()
    sink = Sink(
        **_of(home),
        name=name,
        description=description,
        url=check_url(url),
        mode=mode,
        families=_families(families),
        endpoint_ids=_endpoints(home, endpoint_ids),
        secret=encrypt(secret),
        created_by=acting_user.name,
        position=now.position if start == NEWEST else now.kept_from - 1,
    )
    insert(sink, taken=f"The {_word(home)} has a sink called {name} already.")
    audit(AuditAction.EVENT_SINK_CREATED, sink, acting_user=acting_user, role=role, after=facts_of(sink))
    return sink, secret


@transaction.atomic
def change_sink(sink: Sink, *, acting_user: Actor, **changes: Any) -> Sink:
    """Change some of CHANGEABLE. What was sent stays sent, and the cursor stays where it is.

    Raises ValidationFailed, PermissionRefused.
    """
    role = authorize_for(acting_user, sink.home)
    sink = _locked(sink)
    before = facts_of(sink)
    if "url" in changes:
        changes["url"] = check_url(changes["url"])
    if "families" in changes:
        changes["families"] = _families(changes["families"])
    if "endpoint_ids" in changes:
        changes["endpoint_ids"] = _endpoints(sink.home, changes["endpoint_ids"])
    for field in CHANGEABLE:
        if field in changes:
            setattr(sink, field, changes[field])
    update(sink, CHANGEABLE)
    # What was wrong may be right now, so it need not wait.
    Sink.objects.filter(pk=sink.pk).update(next_attempt_at=None, batch_limit=MOST_EVENTS)
    audit(AuditAction.EVENT_SINK_CHANGED, sink, acting_user=acting_user, role=role, before=before, after=facts_of(sink))
    return sink


@transaction.atomic
def make_secret(sink: Sink, *, acting_user: Actor) -> str:
    """Give the sink another secret and return it, this once; the one before signs nothing more."""
    role = authorize_for(acting_user, sink.home)
    secret = new_secret()
    sink.secret = encrypt(secret)
    sink.save(update_fields=["secret"])
    audit(AuditAction.EVENT_SINK_SECRET_MADE, sink, acting_user=acting_user, role=role)
    return secret


@transaction.atomic
def pause_sink(sink: Sink, *, reason: str = "", acting_user: Actor) -> None:
    """Send it nothing until it is resumed; what arrives meanwhile waits in the stream. Pausing twice is harmless."""
    role = authorize_for(acting_user, sink.home)
    if transitions.pause(sink, detail=f"Paused by {acting_user.name}. {reason}".strip()):
        audit(AuditAction.EVENT_SINK_PAUSED, sink, acting_user=acting_user, role=role, reason=reason)


@transaction.atomic
def resume_sink(sink: Sink, *, acting_user: Actor) -> None:
    """Send it what waits, at once. Resuming twice is harmless."""
    role = authorize_for(acting_user, sink.home)
    if transitions.resume(sink):
        audit(AuditAction.EVENT_SINK_RESUMED, sink, acting_user=acting_user, role=role)


@transaction.atomic
def remove_sink(sink: Sink, *, acting_user: Actor) -> None:
    """Remove it with its dead letters. What was not sent yet is not sent any more."""
    role = authorize_for(acting_user, sink.home)
    audit(AuditAction.EVENT_SINK_REMOVED, sink, acting_user=acting_user, role=role, before=facts_of(sink))
    sink.delete()


@transaction.atomic
def send_again(sink: Sink, letters: Sequence[UUID] | None = None, *, acting_user: Actor) -> int:
    """Have events that the sink did not take sent to it again, all where none are named; what waits behind one follows
    it, in order. How many are to be sent now. Raises Conflict where there is nothing to send, PermissionRefused."""
    role = authorize_for(acting_user, sink.home)
    sink = _locked(sink)
    before = _due(sink).count()
    if not transitions.send_again(_chosen(sink, letters)):
        raise _nothing(sink)
    transitions.release(sink)
    count = _due(sink).count() - before
    Sink.objects.filter(pk=sink.pk).update(next_attempt_at=None)
    audit(AuditAction.DEAD_LETTERS_SENT_AGAIN, sink, acting_user=acting_user, role=role, after=_which(count, letters))
    return count


@transaction.atomic
def discard(sink: Sink, letters: Sequence[UUID] | None = None, *, reason: str = "", acting_user: Actor) -> int:
    """Give up events that the sink did not take, all where none are named; how many. What waits behind one that is
    named alone is sent. Raises Conflict where there is nothing, PermissionRefused."""
    role = authorize_for(acting_user, sink.home)
    sink = _locked(sink)
    chosen = _chosen(sink, letters)
    count = chosen.count()
    if not transitions.discard(chosen, by=acting_user.name):
        raise _nothing(sink)
    transitions.release(sink)
    after = _which(count, letters)
    audit(AuditAction.DEAD_LETTERS_DISCARDED, sink, acting_user=acting_user, role=role, reason=reason, after=after)
    return count


def _of(home: Project | Workspace) -> dict[str, Any]:
    return {"project": home} if isinstance(home, Project) else {"workspace": home}


def _word(home: Project | Workspace) -> str:
    return "project" if isinstance(home, Project) else "workspace"


def _require_room(home: Project | Workspace) -> None:
    """One after another: two that are added at once are not both the last. Sinks beyond stay that were there before."""
    type(home).objects.select_for_update(no_key=True, of=("self",)).get(pk=home.pk)
    if Sink.objects.filter(**_of(home)).count() >= MOST_SINKS:
        raise QuotaExceeded(
            f"The {_word(home)} has {MOST_SINKS} sinks already, which is the most.",
            remedy="Remove one that is no longer needed, or send to one address what several shall get, and share it "
            "out there.",
        )


def _locked(sink: Sink) -> Sink:
    """The deliverer settles letters under the same lock."""
    rows = Sink.objects.select_for_update(of=("self",)).select_related("project", "workspace")
    found: Sink = rows.get(pk=sink.pk)
    return found


def _chosen(sink: Sink, letters: Sequence[UUID] | None) -> QuerySet[DeadLetter]:
    found = open_letters(sink).order_by()
    return found if letters is None else found.filter(pk__in=list(letters))


def _due(sink: Sink) -> QuerySet[DeadLetter]:
    return DeadLetter.objects.filter(sink=sink, state="due")


def _which(count: int, letters: Sequence[UUID] | None) -> dict[str, Any]:
    return {"count": count, "letters": "all" if letters is None else [str(id_) for id_ in letters]}


def _nothing(sink: Sink) -> Conflict:
    return Conflict(
        f"None of these events waits for {sink.name}: they are settled, or wait behind one that is not.",
        remedy="See the list of its dead letters.",
    )


def _families(families: Sequence[str]) -> list[str]:
    chosen = [family for family in Family.values if family in families]
    if not chosen or len(chosen) != len(set(families)):
        raise ValidationFailed(
            "There is nothing that would be sent." if not chosen else "Not all of these kinds of events are known.",
            remedy=f"Choose some of: {', '.join(Family.values)}.",
            field="families",
        )
    return chosen


def _endpoints(home: Project | Workspace, ids: Sequence[UUID]) -> list[UUID]:
    found = set(Endpoint.objects.filter(**_of(home), pk__in=list(ids)).values_list("pk", flat=True))
    if missing := [str(id_) for id_ in ids if id_ not in found]:
        raise ValidationFailed(
            f"The {_word(home)} has no endpoint {missing[0]}.",
            remedy=f"Give endpoints of this {_word(home)}.",
            field="endpoint_ids",
        )
    return sorted(found)
