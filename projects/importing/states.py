"""States of an import."""

from __future__ import annotations

from enum import StrEnum

from modelwright.core.states import StateMachine


class ImportState(StrEnum):
    """Where an import stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


MACHINE = StateMachine(
    "import",
    {
        ImportState.QUEUED: frozenset({ImportState.RUNNING, ImportState.CANCELLED}),
        ImportState.RUNNING: frozenset({ImportState.SUCCEEDED, ImportState.FAILED, ImportState.CANCELLED}),
        ImportState.SUCCEEDED: frozenset(),
        ImportState.FAILED: frozenset(),
        ImportState.CANCELLED: frozenset(),
    },
)
