"""Looks after one service: its log, its record, its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from modelwright.compute.backends.base import Cause, Phase, WorkloadKey
from modelwright.compute.backends.docker.engine import Api
from modelwright.compute.backends.docker.options import KIND
from modelwright.compute.backends.docker.outcome import BY_SIGNAL, POWER_CUT
from modelwright.compute.backends.swarm import names
from modelwright.compute.backends.swarm.config import SwarmConfig
from modelwright.compute.backends.swarm.logs import ServiceLog
from modelwright.compute.backends.swarm.order import mark_of
from modelwright.compute.backends.swarm.records import SwarmFolders
from modelwright.compute.backends.swarm.tasks import Picture, Task, ending_of, picture

# The last lines of a task arrive a moment after its state: so long, in silence, one that was killed is waited for.
LOG_SECONDS = 2.0
# One that ended by itself has said so in its last line.
LAST_WORD_SECONDS = 30.0
# The swarm takes a task out of its DNS and waits some seconds before it sends the signal.
SIGNAL_SECONDS = 10.0
KILLED = 9
# How often, and after which pause (growing), a task is asked for that the swarm was not ready for.
RETRIES = 5
RETRY_SECONDS = 1.0


class Tending:
    """Called again and again with what the manager says."""

    def __init__(
        self, api: Api, config: SwarmConfig, folders: SwarmFolders, key: WorkloadKey, service: Mapping[str, Any]
    ) -> None:
        """Begins to copy the log."""
        labels = service["Spec"]["Labels"]
        self._api, self._config, self._folders, self._key = api, config, folders, key
        self._limits = names.limits_of(labels)
        self._is_kept_alive = labels[KIND] in config.kept_alive
        self._over_since: float | None = None
        self._asked_at: float | None = None
        self._log = ServiceLog(
            api, str(service["ID"]), folders.log(key), limit=self._limits.log_bytes, mark=mark_of(key)
        )
        self._log.start()

    def leave(self) -> None:
        """Leaves it to another process, or to nobody when it has ended."""
        self._log.leave()

    def look(self, service: Mapping[str, Any], tasks: Sequence[Task]) -> None:
        """Records what is, and does what must be done."""
        self._note_update(service)
        stop = self._folders.read_stop(self._key) or self._overdue()
        if stop is not None:
            self._stop(service, tasks, stop)
            return
        seen = picture(tasks, is_kept_alive=self._is_kept_alive)
        for task in seen.ended:
            self._note_end(task)
        if seen.is_over:
            if not self._tries_again(service, seen):
                self._end(seen)
            return
        self._over_since = None
        self._present(seen)

    def _present(self, seen: Picture) -> None:
        known = self._folders.read_status(self._key) or {}
        has_run = known.get("phase") == Phase.RUNNING
        notes = (self._note(), seen.message)
        values: dict[str, Any] = {"message": " ".join(note for note in notes if note)}
        if seen.phase is Phase.RUNNING or has_run:
            # Once it has run, a pause in which the swarm moves it is a note, not another phase.
            values["phase"] = Phase.RUNNING.value
        if seen.task is not None:
            values.update(task=seen.task.id, node=seen.task.node)
            if seen.phase is Phase.RUNNING and known.get("started_at") is None:
                values["started_at"] = seen.task.changed_at or time.time()
        self._folders.write_present(self._key, values)

    def _overdue(self) -> dict[str, Any] | None:
        timeout = self._limits.timeout_seconds
        started_at = (self._folders.read_status(self._key) or {}).get("started_at")
        if timeout is None or started_at is None or time.time() < started_at + timeout:
            return None
        message = f"It ran longer than its time limit of {timeout:g} seconds."
        self._folders.order_stop(self._key, cause=Cause.TIMED_OUT, message=message)
        return self._folders.read_stop(self._key)

    def _tries_again(self, service: Mapping[str, Any], seen: Picture) -> bool:
        """Asks for another task where the swarm refused the last one for a reason of its own and nothing was lost."""
        has_run = (self._folders.read_status(self._key) or {}).get("started_at") is not None
        if seen.last is None or not seen.last.was_refused_for_now or (has_run and not self._is_kept_alive):
            return False
        number = 1 + sum(event["event"] == "retried" for event in self._folders.history(self._key))
        if number > RETRIES:
            return False
        if self._silence() > RETRY_SECONDS * number:
            self._over_since = None
            self._folders.add_event(self._key, "retried", number=number)
            forced = {"ForceUpdate": int(service["Spec"]["TaskTemplate"].get("ForceUpdate", 0)) + 1}
            self._update(service, task_template=forced, update_config=_GO_ON)
        return True

    def _update(self, service: Mapping[str, Any], **changes: Any) -> None:
        name, version = service["Spec"]["Name"], service["Version"]["Index"]
        self._api.update_service(service["ID"], version, name=name, fetch_current_spec=True, **changes)

    def _end(self, seen: Picture) -> None:
        task = seen.last
        if task is None or not self._log_is_whole(task):
            return
        said = self._log.endings.get(task.id)
        values = ending_of(task, said, self._limits.memory_bytes)
        failures = [each for each in seen.ended if each.state in ("failed", "rejected")]
        if self._is_kept_alive and len(failures) > 1:
            values["message"] = f"{values['message']} The swarm started it {len(failures)} times."
        self._log.finish()
        self._folders.write_ended(self._key, values)

    def _log_is_whole(self, task: Task) -> bool:
        """Whether its own last word has come, or will not."""
        patience = LOG_SECONDS if task.exit_code in (*BY_SIGNAL, POWER_CUT) else LAST_WORD_SECONDS
        return task.id in self._log.endings or task.exit_code is None or self._silence() > patience

    def _silence(self) -> float:
        """Seconds in which nothing has come of a log that should be at its end."""
        now = time.monotonic()
        self._over_since = self._over_since or now
        return now - max(self._over_since, self._log.heard_at)

    def _stop(self, service: Mapping[str, Any], tasks: Sequence[Task], stop: Mapping[str, Any]) -> None:
        """Asks the swarm for no task, and records the end when there is none, or none that can be reached."""
        if service["Spec"]["Mode"]["Replicated"]["Replicas"]:
            self._asked_at = time.monotonic()
            self._update(service, mode=_NONE)
            return
        now = time.monotonic()
        self._asked_at = self._asked_at or now
        left = [task for task in tasks if not task.has_ended]
        if any(not task.node_is_down for task in left):
            return
        if left and now - self._asked_at < self._limits.grace_seconds + SIGNAL_SECONDS:
            return
        self._record_stopped(stop, is_forced=now - self._asked_at >= self._limits.grace_seconds)

    def _record_stopped(self, stop: Mapping[str, Any], *, is_forced: bool) -> None:
        known = self._folders.read_status(self._key) or {}
        has_run = known.get("started_at") is not None
        last = self._log.endings.get(str(known.get("task", "")))
        if has_run and last is None and self._silence() < LOG_SECONDS:
            return
        said = last or {}
        values: dict[str, Any] = {
            "cause": stop["cause"],
            "message": stop.get("message", ""),
            "exit_code": said.get("exit_code"),
            "signal": KILLED if last is None and has_run and is_forced else said.get("signal"),
            "peak_memory_bytes": said.get("peak_memory_bytes"),
        }
        self._log.finish()
        self._folders.write_ended(self._key, values)

    def _note_end(self, task: Task) -> None:
        reason = task.why() or task.state
        self._folders.add_event(self._key, "ended", task=task.id, node=task.node, reason=reason)

    def _note_update(self, service: Mapping[str, Any]) -> None:
        status = service.get("UpdateStatus") or {}
        if status.get("State"):
            state, why = status["State"], status.get("Message", "")
            self._folders.add_event(self._key, "update", state=state, of=status.get("StartedAt", ""), why=why)

    def _note(self) -> str:
        """What a person should know of a workload that runs: the last that happened to it, if that was no good."""
        update = None
        for event in reversed(self._folders.history(self._key)):
            name = event["event"]
            if name == "ended" and event["reason"] not in ("complete", "shutdown") and update is None:
                return f"It was started again. Before that: {event['reason']}"
            if name == "update":
                update = update or str(event["state"])
            elif name == "renewed":
                return _UPDATES.get(update or "", "")
            elif name == "retried":
                update = None
        return ""


_NONE = {"Replicated": {"Replicas": 0}}
_GO_ON = {"Parallelism": 1, "Order": "start-first", "FailureAction": "continue"}
_KEPT = "It could not be renewed: the new one did not get ready. The one before goes on."
_UPDATES = {
    "updating": "It is being renewed: the present one answers until the new one is ready.",
    **dict.fromkeys(("paused", "rollback_started", "rollback_paused", "rollback_completed"), _KEPT),
}
