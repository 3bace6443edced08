"""Which sinks something waits for. One question to the database for all of them, however many there are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from models.events.models import Arrival, Family
from models.events.reading import ACTIONS

# A cursor that passes over nothing but others' events is moved when it would be moved so far.
IDLE_STEP = 1000
_DUE = """
SELECT s.id, coalesce(s.project_id, s.workspace_id)
  FROM (
    SELECT *, CASE WHEN workspace_id IS NULL THEN ARRAY[project_id]
                   ELSE ARRAY(SELECT p.id FROM projects_project p WHERE p.workspace_id = events_sink.workspace_id)
              END AS projects
      FROM events_sink
  ) s CROSS JOIN (SELECT coalesce(max(position), 0) AS position FROM events_streamhead) h
 WHERE s.state IN ('active')
   AND (s.next_attempt_at IS NULL OR s.next_attempt_at <= %(now)s)
   AND (s.leased_until IS NULL OR s.leased_until < %(now)s)
   AND (
     h.position - s.position >= %(step)s
     OR EXISTS (SELECT 1 FROM events_deadletter l WHERE l.sink_id = s.id AND l.state IN ('due'))
     OR (s.position < h.position AND EXISTS (
       SELECT 1 FROM events_arrival a
        WHERE a.project_id = ANY(s.projects)
          AND a.first >= coalesce((SELECT max(b.first) FROM events_arrival b WHERE b.first <= s.position + 1), 0)
          AND a.first + a.size - 1 > s.position
          AND (cardinality(s.endpoint_ids) = 0 OR a.endpoint_id = ANY(s.endpoint_ids))
          AND ((a.kind = %(prediction)s AND s.families && %(asked)s::varchar[])
            OR (a.kind = %(feedback)s AND %(feedback)s = ANY(s.families))
            OR (a.kind = %(change)s AND EXISTS (
              SELECT 1 FROM unnest(%(family)s::varchar[], %(start)s::varchar[]) f(family, start)
               WHERE f.family = ANY(s.families) AND starts_with(a.what, f.start))))
     ))
   )
 ORDER BY s.delivered_at NULLS FIRST, s.id
"""
_STARTS = [(str(family), start) for family, starts in ACTIONS.items() for start in starts]


def due() -> dict[UUID, UUID]:
    """The sinks to which something may be sent now, with their projects or workspaces, those that have waited longest
    first: what they asked for waits, or their cursor is so far behind that it should move on all the same."""
    values: dict[str, Any] = {
        "now": timezone.now(),
        "step": IDLE_STEP,
        "prediction": str(Arrival.Kind.PREDICTION),
        "feedback": str(Arrival.Kind.FEEDBACK),
        "change": str(Arrival.Kind.CHANGE),
        "asked": [str(Family.REQUEST), str(Family.ANSWER)],
        "family": [family for family, _ in _STARTS],
        "start": [start for _, start in _STARTS],
    }
    with connection.cursor() as cursor:
        cursor.execute(_DUE, values)
        return dict(cursor.fetchall())
