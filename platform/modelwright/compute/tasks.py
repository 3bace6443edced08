"""Celery's way in. A message is a hint: whatever is lost or comes twice does no harm."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from modelwright.compute import hints, placement
from modelwright.compute.layout import local_backend


@shared_task(name=hints.PLACE, ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
def place_and_start(workload_id: str) -> None:
    """Places the workload and starts it, unless that was done or has to wait."""
    if placement.is_awaited(UUID(workload_id)):
        placement.place_and_start(UUID(workload_id), local_backend(), if_awaited=True)
    else:
        placement.start_here(UUID(workload_id), local_backend())


@shared_task(name=hints.LOOK, ignore_result=True)  # type: ignore[untyped-decorator]
def look_at_queue() -> None:
    """Places whatever waits and fits by now."""
    if placement.is_awaited():
        placement.place_and_start(None, local_backend(), if_awaited=True)


@shared_task(name=hints.START, ignore_result=True)  # type: ignore[untyped-decorator]
def start(workload_id: str) -> None:
    """Starts the workload if it is placed on this host and nobody has begun to."""
    placement.start_here(UUID(workload_id), local_backend())
