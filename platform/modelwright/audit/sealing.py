"""The asynchronous seal over audit rows: a hash chain.

A row is sealed when it is seen committed and not yet sealed (an anti-join, not "id greater than the last"), so a row
whose transaction commits late gets a later link instead of none.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.forms.models import model_to_dict

from modelwright.audit.models import AuditEvent, AuditSeal

GENESIS = "0" * 64
_LOCK = 0x6D77_5EA1
_CHUNK = 1000


def event_digest(event: AuditEvent) -> str:
    """SHA-256 over the canonical JSON of every column of the row."""
    facts: dict[str, Any] = model_to_dict(event, exclude=["id"])
    facts |= {"id": event.id, "at": event.at.isoformat(), "created_at": event.created_at.isoformat()}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def link_digest(previous: str, event: AuditEvent) -> str:
    """The digest of a link: SHA-256 over the digest of the link before and that of the event."""
    return hashlib.sha256(f"{previous}{event_digest(event)}".encode()).hexdigest()


@transaction.atomic
def seal(limit: int = 1000) -> int:
    """Seal up to `limit` committed rows; return how many. Two sealers at once are harmless: one waits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    last = AuditSeal.objects.order_by("-position").first()
    position, digest = (last.position, last.digest) if last else (0, GENESIS)
    sealed_ids = AuditSeal.objects.values("event_id")
    events = list(AuditEvent.objects.exclude(id__in=sealed_ids).order_by("id")[:limit])
    seals = []
    for event in events:
        position, digest = position + 1, link_digest(digest, event)
        seals.append(AuditSeal(position=position, event_id=event.id, digest=digest))
    AuditSeal.objects.bulk_create(seals)
    return len(seals)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the chain found. `fault` is empty when all links hold."""

    checked: int
    unsealed: int
    fault: str = ""


def verify() -> Verdict:
    """Recompute the chain and name the first link that does not hold. Memory does not grow with the log."""
    digest, checked = GENESIS, 0
    while seals := list(AuditSeal.objects.filter(position__gt=checked).order_by("position")[:_CHUNK]):
        events = AuditEvent.objects.in_bulk([seal_row.event_id for seal_row in seals])
        for seal_row in seals:
            if seal_row.position != checked + 1:
                return Verdict(checked, 0, f"Link {checked + 1} is missing.")
            event = events.get(seal_row.event_id)
            if event is None:
                return Verdict(checked, 0, f"The row under link {seal_row.position} was removed.")
            digest = link_digest(digest, event)
            if digest != seal_row.digest:
                return Verdict(checked, 0, f"The row under link {seal_row.position} ({event}) was changed.")
            checked += 1
    unsealed = AuditEvent.objects.exclude(id__in=AuditSeal.objects.values("event_id")).count()
    return Verdict(checked, unsealed)
