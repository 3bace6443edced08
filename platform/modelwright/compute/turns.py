"""The order in which what waits is looked at: fair between workspaces, and nobody starves."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from modelwright.compute.models import Workload

# A workload that waited so long is not overtaken by smaller ones any more.
PATIENCE = timedelta(minutes=5)

Share = Callable[[UUID | None], float]
PLATFORM_FIRST = -1.0


def is_patient(workload: Workload, now: datetime) -> bool:
    """Whether it has waited for so long that nobody overtakes it."""
    return workload.queued_at < now - PATIENCE


def in_turn(queue: Iterable[Workload], share: Share, part: Share, now: datetime) -> Iterator[Workload]:
    """The workloads, each at its turn. `share` and `part` are asked again after each, so place it before going on.

    The platform's own work comes first, since others wait for it. Then whichever workspace has the smallest share of
    what it may use (`share`), and of its workloads the oldest. The oldest of each workspace that has waited for
    PATIENCE comes before all that, unless its workspace holds more than an equal part of all hosts (`part`) already.
    """
    lines: dict[UUID | None, deque[Workload]] = defaultdict(deque)
    for workload in sorted(queue, key=lambda workload: (workload.queued_at, workload.pk)):
        lines[workload.workspace_id].append(workload)
    equal = 1 / max(1, len(lines))
    patient = sorted(
        (line[0] for line in lines.values() if is_patient(line[0], now)), key=lambda workload: workload.queued_at
    )
    for workload in patient:
        if workload.workspace_id is None or part(workload.workspace_id) <= equal:
            lines[workload.workspace_id].popleft()
            yield workload

    def turn(workspace: UUID | None, number: int) -> tuple[float, datetime, int, UUID | None]:
        first = PLATFORM_FIRST if workspace is None else share(workspace)
        return (first, lines[workspace][0].queued_at, number, workspace)

    # The number keeps two workspaces apart that are equal in all else.
    turns = [turn(workspace, number) for number, (workspace, line) in enumerate(lines.items()) if line]
    heapq.heapify(turns)
    while turns:
        _, _, number, workspace = heapq.heappop(turns)
        yield lines[workspace].popleft()
        if lines[workspace]:
            heapq.heappush(turns, turn(workspace, number))
