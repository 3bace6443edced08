"""How many requests for predictions were answered, and how many should have been: counted by endpoint and minute, and
told by records of the spool.

A record says how the minute stands as this process has counted it so far, not what came since the last record. So it
does no harm to store one twice, and what the spool would not take is told with the next one.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from models.gateway.ids import new_prediction_id
from models.gateway.metrics import Metrics
from models.gateway.routes import RouteTable
from models.gateway.spool import encode_record
from models.gateway.spool_writer import SpoolRefused, SpoolWriter

logger = logging.getLogger(__name__)

KIND = "availability"
REPORT_SECONDS = 2.0
# Of minutes that could not be told yet. More are only kept by a spool that has been full for very long.
MOST_KEPT = 20_000

_ANSWERED, _REFUSED, _FAILED = range(3)
_Place = tuple[str, int]


def outcome_of(status: int) -> int | None:
    """0 answered, 1 refused for want of room, 2 failed; None where the client asked for what cannot be answered."""
    if status < 400:
        return _ANSWERED
    if status == 429:
        return _REFUSED
    return _FAILED if status >= 500 else None


class Availability:
    """Of one process, which calls itself `name`; what it counted ends with it."""

    def __init__(self, name: str) -> None:
        self._source = f"{name}-{secrets.token_hex(6)}"
        self._seen: dict[tuple[str, int], int] = {}
        self._ids: dict[str, str] = {}
        self._minutes: dict[_Place, list[int]] = {}
        self._untold: set[_Place] = set()

    def report(self, table: RouteTable, metrics: Metrics, spool: SpoolWriter, now: float) -> int:
        """Append what has changed to the spool; how many records that were. `now` is in seconds since 1970."""
        self._count(table, metrics.predictions(), int(now // 60) * 60)
        if not self._untold:
            return 0
        told = sorted(self._untold)
        try:
            spool.append(b"".join([encode_record(self._record(place, now)) for place in told]))
        except SpoolRefused:
            self._drop_oldest()
            return 0
        self._untold.clear()
        this_minute = int(now // 60) * 60
        for place in [place for place in self._minutes if place[1] < this_minute]:
            del self._minutes[place]
        return len(told)

    def _count(self, table: RouteTable, found: Mapping[tuple[str, int], int], minute: int) -> None:
        self._ids |= {name: endpoint.endpoint_id for name, endpoint in table.endpoints.items()}
        for key, count in found.items():
            more = count - self._seen.get(key, 0)
            if more <= 0:
                continue
            self._seen[key] = count
            name, status = key
            outcome, endpoint_id = outcome_of(status), self._ids.get(name)
            if outcome is None or endpoint_id is None:
                continue
            place = endpoint_id, minute
            self._minutes.setdefault(place, [0, 0, 0])[outcome] += more
            self._untold.add(place)

    def _record(self, place: _Place, now: float) -> dict[str, Any]:
        answered, refused, failed = self._minutes[place]
        return {
            "kind": KIND,
            "id": new_prediction_id(),
            "at": now,
            "endpoint_id": place[0],
            "minute": place[1],
            "source": self._source,
            "answered": answered,
            "refused": refused,
            "failed": failed,
        }

    def _drop_oldest(self) -> None:
        beyond = len(self._untold) - MOST_KEPT
        if beyond <= 0:
            return
        logger.error("the oldest %d minutes of availability cannot be recorded and are left out", beyond)
        for place in sorted(self._untold, key=lambda each: each[1])[:beyond]:
            self._untold.discard(place)
            self._minutes.pop(place, None)
