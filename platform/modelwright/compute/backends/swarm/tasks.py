"""What the tasks of a service mean together. Counts of a service hold the tasks of dead nodes: states are read here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelwright.compute.backends.base import Cause, Phase
from modelwright.compute.backends.docker.outcome import EngineState, judge, moment

_WANTED = ("running", "ready", "accepted", "assigned")
_ENDED = ("complete", "failed", "rejected", "shutdown", "orphaned", "remove")
MOVED = "no longer meets constraints"
# What a swarm says while it brings a network to a machine for the first time.
_HICCUPS = (MOVED, "missing network attachments")
_DOWN = ("down", "disconnected")


@dataclass(frozen=True)
class Task:
    """One attempt to run a workload, on one node."""

    id: str
    state: str
    wanted: str
    node: str
    node_is_down: bool
    created_at: str
    changed_at: float | None
    error: str
    exit_code: int | None

    @classmethod
    def of(cls, found: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> Task:
        """From what the manager says of tasks and nodes."""
        status = found["Status"]
        node = nodes.get(str(found.get("NodeID", "")), {})
        container = status.get("ContainerStatus") or {}
        return cls(
            id=str(found["ID"]),
            state=str(status["State"]),
            wanted=str(found.get("DesiredState", "")),
            node=str(node.get("Description", {}).get("Hostname", "")),
            node_is_down=str(node.get("Status", {}).get("State", "")) in _DOWN,
            created_at=str(found["CreatedAt"]),
            changed_at=moment(status.get("Timestamp")),
            error=str(status.get("Err", "")),
            exit_code=container.get("ExitCode") if container.get("ContainerID") else None,
        )

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs, as far as anybody can know."""
        return self.state in _ENDED

    @property
    def is_wanted(self) -> bool:
        """Whether the swarm means to have it running."""
        return self.wanted in _WANTED and not self.has_ended

    @property
    def was_refused_for_now(self) -> bool:
        """Whether the swarm itself was not ready, which says nothing about the workload."""
        return self.state == "rejected" and any(part in self.error for part in _HICCUPS)

    def why(self) -> str:
        """Why it is not there any more, or not yet."""
        if "No such image" in self.error:
            return image_missing(self.error)
        if self.node_is_down and not self.has_ended:
            return f"Its machine {self.node} does not answer."
        if MOVED in self.error:
            # Engines up to 20.10 do that to every task with a GPU whenever anything of its node is changed.
            return f"The swarm took it off {self.node}, because that machine's labels or resources were changed."
        if "unhealthy" in self.error:
            return "It did not answer on its port any more."
        if self.state == "pending" and self.error:
            return (
                f"No machine of the swarm suits it: {self.error}. It starts as soon as one does: add a machine, free "
                "one, or change the labels and sizes that it asks for."
            )
        if self.error.startswith("task: non-zero exit ("):
            return f"It ended with exit code {self.exit_code}."
        return self.error


@dataclass(frozen=True)
class Picture:
    """Where a workload is. `last` is the newest task that ended, `is_over` whether the swarm starts none after it."""

    phase: Phase
    message: str = ""
    task: Task | None = None
    last: Task | None = None
    is_over: bool = False
    ended: Sequence[Task] = field(default=())


def picture(tasks: Sequence[Task], *, is_kept_alive: bool) -> Picture:
    """All tasks of one service, in any order."""
    ordered = sorted(tasks, key=lambda task: task.created_at)
    if not ordered:
        return Picture(Phase.STARTING, "The swarm has not made a task for it yet.")
    gone = [task for task in ordered if task.has_ended or (task.node_is_down and not task.is_wanted)]
    last = gone[-1] if gone else None
    wanted = [task for task in ordered if task.is_wanted]
    running = [task for task in wanted if task.state == "running" and not task.node_is_down]
    if running:
        return Picture(Phase.RUNNING, "", running[-1], last, ended=gone)
    if wanted:
        return Picture(Phase.STARTING, wanted[-1].why(), wanted[-1], last, ended=gone)
    if is_kept_alive and len(gone) < len(ordered):
        # The present one is being ended; the swarm decides what comes next.
        return Picture(Phase.STARTING, "", None, last, ended=gone)
    return Picture(Phase.STARTING, "", None, last, is_over=last is not None, ended=gone)


def ending_of(task: Task, said: Mapping[str, Any] | None, memory_bytes: int | None) -> dict[str, Any]:
    """The values of a status record for a workload whose last task this is; `said` is its first process's own word."""
    if task.node_is_down and not task.has_ended:
        return {"cause": Cause.LOST.value, "message": f"{task.why()} Nobody knows how it ended."}
    if task.state == "rejected" or task.exit_code is None:
        message = task.why() or f"The swarm could not run it: its task was {task.state}."
        lost = task.state == "orphaned" or MOVED in task.error
        return {"cause": (Cause.LOST if lost else Cause.FAILED).value, "message": message}
    state = EngineState(task.exit_code, bool((said or {}).get("out_of_memory")), finished_at=task.changed_at)
    values = judge(state, ending=said, stop=None, memory_bytes=memory_bytes)
    values.pop("started_at", None)
    if "unhealthy" in task.error:
        values.update(cause=Cause.FAILED.value, message=task.why())
    return values


def image_missing(error: str) -> str:
    """What a person reads when no machine has the image."""
    return (
        f"The machines of the swarm do not have its image ({error}). Push it to the registry that they pull from, load "
        "it on each of them, or choose another environment."
    )
