"""How rooms of the platform read the stream: by position, which they move in the transaction of what they do with it.

```python
with transaction.atomic():
    batch = subscribing.read("drift", limit=1000, filters=Filters(families=("answer",)))
    count(batch.things, batch.rows)
    subscribing.commit(batch)
```

So no thing is skipped and none counts twice, whatever process dies where: either the position and what came of the
things are stored together, or neither is.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from models.events.models import Subscriber
from models.events.ordering import head
from models.events.reading import Filters, Thing
from models.events.reading import read as read_stream
from models.events.rows import Rows, load
from modelwright.core.errors import Conflict

BEGINNING, END = "beginning", "end"


@dataclass(frozen=True, slots=True)
class Batch:
    """Things in order with their rows. `start` is where the subscriber stood, `end` where it stands once it commits."""

    name: str
    start: int
    end: int
    things: list[Thing]
    rows: Rows


def read(name: str, limit: int = 1000, *, filters: Filters | None = None, start: str = BEGINNING) -> Batch:
    """The next things for the subscriber, at most `limit`. A new one begins with the oldest that the stream still has,
    or after the newest (`start=END`)."""
    position = Subscriber.objects.filter(name=name).values_list("position", flat=True).first()
    if position is None:
        position = _new(name, start)
    things, end, rows = load(read_stream(position, limit, filters or Filters()))
    return Batch(name, position, end, things, rows)


def commit(batch: Batch) -> None:
    """Say that the batch is done with. Raises RuntimeError outside a transaction; Conflict where somebody else has
    moved the subscriber since it was read: let the transaction fail then, and read again."""
    if not connection.in_atomic_block:
        raise RuntimeError("the position must move in the transaction of what is done with the events")
    mine = Subscriber.objects.filter(name=batch.name, position=batch.start)
    moved = mine.update(position=batch.end, updated_at=timezone.now())
    if not moved:
        raise Conflict(
            f"The subscriber {batch.name} was moved by another process meanwhile.",
            remedy="Read again from where it is.",
        )


def forget(name: str) -> None:
    """The subscriber is no more; nothing is kept for it."""
    Subscriber.objects.filter(name=name).delete()


def _new(name: str, start: str) -> int:
    now = head()
    position = now.position if start == END else now.kept_from - 1
    made, _ = Subscriber.objects.get_or_create(name=name, defaults={"position": position})
    return made.position
