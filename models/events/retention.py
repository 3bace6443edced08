"""How far back the stream goes. What it forgets are places and ids: the predictions themselves are kept as their own
rules say, and one that is deleted before it was sent is no event any more."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Min
from django.utils import timezone

from models.events.batches import filters_of
from models.events.models import Arrival, DeadLetter, Sink, StreamHead, Subscriber
from models.events.ordering import held_head
from models.events.reading import backlog
from models.events.states import OPEN

PIECE = 5000


def tick() -> int:
    """Forget what is older than the stream is kept; how many arrivals that were. What a subscriber inside has not read
    stays. A sink that is so far behind goes on with the oldest there is, and its page says how much it missed."""
    if not settings.EVENT_RETENTION_DAYS:
        return 0
    total = 0
    before = timezone.now() - timedelta(days=settings.EVENT_RETENTION_DAYS)
    while (gone := _forget_some(before)) == PIECE:
        total += gone
    settled = DeadLetter.objects.exclude(state__in=OPEN).filter(settled_at__lt=before)
    settled.delete()
    return total + gone


@transaction.atomic
def _forget_some(before: object) -> int:
    head = held_head()
    unread = Subscriber.objects.aggregate(least=Min("position"))["least"]
    old = Arrival.objects.filter(at__lt=before).exclude(first=None)
    if unread is not None:
        old = old.filter(first__lte=unread + 1 - F("size"))
    # From the first on without a gap: what is kept of the stream is one piece.
    ids = list(old.order_by("first").values_list("pk", "first", "size")[:PIECE])
    kept_from, chosen = head.kept_from, []
    for pk, first, size in ids:
        if first is None or first != kept_from:
            break
        kept_from = first + size
        chosen.append(pk)
    if not chosen:
        return 0
    _move_sinks(kept_from)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM events_arrival WHERE id = ANY(%s)", [chosen])
    StreamHead.objects.filter(pk=head.pk).update(kept_from=kept_from)
    return len(chosen)


def _move_sinks(kept_from: int) -> None:
    """Sinks whose cursor is in what goes. Whoever delivers to one of them has lost it by that."""
    for sink in Sink.objects.select_for_update().filter(position__lt=kept_from - 1):
        wanted = filters_of(sink)
        missed = backlog(sink.position, wanted)[0] - backlog(kept_from - 1, wanted)[0]
        Sink.objects.filter(pk=sink.pk).update(
            position=kept_from - 1, part=0, missed=F("missed") + missed, fence=F("fence") + 1, leased_until=None
        )
