"""The order of the stream: what has become visible gets the next positions, and nothing ever gets one behind a reader.

Ids say nothing of it: a prediction's is made when it is answered, and a spool may be shipped an hour later; a
transaction may commit long after one that began after it. So positions are given to what is seen committed and has
none, by whoever holds the head's row. Whatever a reader finds before a position therefore stays all that there is.
"""

from __future__ import annotations

from django.db import connection, transaction

from models.events.models import StreamHead

MOST_AT_ONCE = 5000
_NUMBER = """
WITH waiting AS MATERIALIZED (
  SELECT id, size FROM events_arrival WHERE first IS NULL ORDER BY id LIMIT %(limit)s
), placed AS (
  UPDATE events_arrival a
     SET first = %(head)s + 1 + w.before
    FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM waiting) w
   WHERE a.id = w.id
  RETURNING a.size
)
SELECT coalesce(sum(size), 0), count(*) FROM placed
"""


def tick(limit: int = MOST_AT_ONCE) -> int:
    """Give positions to everything that has become visible; how many things that were."""
    total = 0
    while True:
        things, rows = _some(limit)
        total += things
        if rows < limit:
            return total


@transaction.atomic
def _some(limit: int) -> tuple[int, int]:
    """The next `limit` arrivals: how many things they hold, and how many they are."""
    head = held_head()
    with connection.cursor() as cursor:
        cursor.execute(_NUMBER, {"head": head.position, "limit": limit})
        things, rows = map(int, cursor.fetchone())
    if things:
        StreamHead.objects.filter(pk=head.pk).update(position=head.position + things)
    return things, rows


def held_head() -> StreamHead:
    """The head, which nobody else moves before the caller's transaction ends."""
    head = StreamHead.objects.select_for_update().filter(pk=1).first()
    if head is None:
        StreamHead.objects.bulk_create([StreamHead()], ignore_conflicts=True)
        head = StreamHead.objects.select_for_update().get(pk=1)
    return head


def head() -> StreamHead:
    """How far the stream goes."""
    return StreamHead.objects.filter(pk=1).first() or StreamHead()
