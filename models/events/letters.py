"""Which dead letters of a sink are open."""

from __future__ import annotations

from django.db.models import QuerySet

from models.events.models import DeadLetter, Sink
from models.events.states import OPEN


def open_letters(sink: Sink) -> QuerySet[DeadLetter]:
    """What of the sink is not settled, in order."""
    found: QuerySet[DeadLetter] = DeadLetter.objects.filter(sink=sink, state__in=OPEN)
    return found.order_by("position", "part")
