"""All replicas and batch queues of the current route table, and those of older tables that still have work."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import chain

from models.gateway.addresses import Access
from models.gateway.admission import Bounds, Budget
from models.gateway.batching import BatchQueue, Outlet
from models.gateway.replicas import Replica
from models.gateway.responses import Response
from models.gateway.routes import Endpoint, RouteTable, Target

TICK_SECONDS = 0.05
# How old what replicas say of themselves may be.
PING_SECONDS = 2.0


class Fleet:
    """Queues are kept by their sockets, so a table that changes keys or weights leaves connections alone."""

    def __init__(self, outlet: Outlet, access: Access, bounds: Bounds) -> None:
        self._outlet = outlet
        self._budget = Budget(bounds)
        self._access = access
        self._replicas: dict[str, Replica] = {}
        self._queues: dict[tuple[str, ...], BatchQueue] = {}
        # By their sockets too, the oldest first.
        self._retired: dict[tuple[str, ...], BatchQueue] = {}

    def apply(self, table: RouteTable) -> None:
        """Connect what the table names; what it does not name any more finishes its work, then closes. What it names
        again before that goes on as it was."""
        wanted = {target.sockets for target in table.targets()}
        for sockets in [key for key in self._queues if key not in wanted]:
            self._retired[sockets] = self._queues.pop(sockets)
        for sockets in wanted:
            if sockets in self._retired:
                self._queues[sockets] = self._retired.pop(sockets)
            elif sockets not in self._queues:
                self._queues[sockets] = self._new_queue(sockets)
        self._close_unused()

    def queue(self, target: Target) -> BatchQueue | None:
        """The queue of a target of the current table; None for one of an older table."""
        return self._queues.get(target.sockets)

    def refusal(self, endpoint: Endpoint, target: Target, body_bytes: int, now: float) -> Response | None:
        """Why a request of that size may not wait for the target; None when it may, or when that shows later."""
        if target.graph is not None:
            parts = target.graph.targets.values()
            return next((told for part in parts if (told := self.refusal(endpoint, part, body_bytes, now))), None)
        queue = self._queues.get(target.sockets)
        return None if queue is None else queue.refusal(endpoint.name, body_bytes, now)

    def is_available(self, target: Target) -> bool:
        """Whether a request for the target may hope for an answer; for a graph, whether all of its versions may."""
        if target.graph is not None:
            return all(map(self.is_available, target.graph.targets.values()))
        queue = self._queues.get(target.sockets)
        return queue is not None and queue.is_available()

    def is_idle(self) -> bool:
        """Whether no request waits or is in flight."""
        return all(queue.is_empty for queue in self._all_queues())

    def connected(self) -> int:
        """How many replicas have a connection."""
        return sum(replica.is_connected for replica in self._replicas.values())

    def replica(self, path: str) -> Replica | None:
        """The connection to that address, None where no table names it."""
        return self._replicas.get(path)

    async def run(self) -> None:
        """Time out what waits too long, close what is unused, ask replicas how they are, until cancelled."""
        ping_at = 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            if now >= ping_at:
                ping_at = now + PING_SECONDS
                for replica in self._replicas.values():
                    replica.ping()
            for queue in self._all_queues():
                queue.tick(now)
            if self._retired:
                self._close_unused()

    def close(self) -> None:
        """Close every connection."""
        for replica in self._replicas.values():
            replica.close()

    def _all_queues(self) -> list[BatchQueue]:
        # Older ones first: what waits there has waited longer.
        return [*self._retired.values(), *self._queues.values()]

    def _new_queue(self, sockets: tuple[str, ...]) -> BatchQueue:
        return BatchQueue([self._replica(path) for path in sockets], self._outlet, self._budget)

    def _replica(self, path: str) -> Replica:
        replica = self._replicas.get(path)
        if replica is None:
            replica = self._replicas[path] = Replica(path, self._changed, self._access)
            replica.start()
        return replica

    def _changed(self, replica: Replica) -> None:
        for queue in self._all_queues():
            if replica in queue.replicas:
                queue.changed()

    def _idle(self, replica: Replica) -> None:
        for queue in self._all_queues():
            if replica in queue.replicas:
                queue.pump()

    def _close_unused(self) -> None:
        self._retired = {sockets: queue for sockets, queue in self._retired.items() if not queue.is_empty}
        users = Counter(chain(*self._retired, *self._queues))
        for path in [path for path in self._replicas if path not in users]:
            self._replicas.pop(path).close()
        for path, replica in self._replicas.items():
            # A queue learns by its own frames that a replica is idle, of another queue's frames it must be told.
            replica.on_idle = self._idle if users[path] > 1 else None
