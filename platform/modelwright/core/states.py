"""State machines written by conditional UPDATE, so that two workers cannot both win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet


@dataclass(frozen=True)
class StateMachine:
    """The states of one kind of thing and what may follow what."""

    name: str
    transitions: Mapping[str, frozenset[str]]

    def __post_init__(self) -> None:
        for targets in self.transitions.values():
            unknown = targets - self.transitions.keys()
            if unknown:
                raise ValueError(f"{self.name}: unknown states {sorted(unknown)}")

    @property
    def states(self) -> frozenset[str]:
        """Every state."""
        return frozenset(self.transitions)

    @property
    def terminal(self) -> frozenset[str]:
        """The states that nothing follows."""
        return frozenset(state for state, targets in self.transitions.items() if not targets)

    @property
    def live(self) -> frozenset[str]:
        """The states that something still follows."""
        return self.states - self.terminal

    def sources(self, to: str) -> frozenset[str]:
        """The states that `to` may follow."""
        if to not in self.transitions:
            raise ValueError(f"{self.name} has no state {to!r}")
        return frozenset(state for state, targets in self.transitions.items() if to in targets)


def move(queryset: QuerySet[Any], *, machine: StateMachine, to: str, **changes: Any) -> bool:
    """Move the rows of `queryset` to `to` where that may follow; return whether any row moved.

    `changes` are written with the state in the same UPDATE.
    """
    return queryset.filter(state__in=machine.sources(to)).update(state=to, **changes) > 0
