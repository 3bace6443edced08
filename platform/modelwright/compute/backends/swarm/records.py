"""The records of workloads that run somewhere in a swarm: those of `Folders`, and what happened on the way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from modelwright.compute.backends.base import Phase, WorkloadKey
from modelwright.compute.backends.folders import Folders
from modelwright.compute.backends.shim import record

HISTORY = "history.json"
LONGEST_HISTORY = 100


class SwarmFolders(Folders):
    """Only one process writes what is not the first or the last word: the minder."""

    def begin(self, key: WorkloadKey) -> None:
        """Records that the swarm was asked to run it."""
        record.write_json_once(str(self.folder(key) / record.STATUS), {"phase": Phase.STARTING.value})

    def write_present(self, key: WorkloadKey, values: Mapping[str, Any]) -> None:
        """Records where it is now, unless its end is recorded already or nothing is new."""
        known = self.read_status(key)
        if known is None or known.get("phase") == Phase.ENDED:
            return
        new = {**known, **values}
        if new != known:
            record.write_json(str(self.folder(key) / record.STATUS), new)

    def history(self, key: WorkloadKey) -> list[dict[str, Any]]:
        """What happened to it, the oldest first: `{"at", "event", …}`. The swarm itself keeps one step back only."""
        found = record.read_json(str(self.folder(key) / HISTORY)) or {}
        events = found.get("events", [])
        return events if isinstance(events, list) else []

    def add_event(self, key: WorkloadKey, event: str, **values: Any) -> None:
        """Adds to its history what is not there yet."""
        known = self.history(key)
        new = {"event": event, **values}
        if not any({name: value for name, value in old.items() if name != "at"} == new for old in known):
            events = [*known, {"at": time.time(), **new}][-LONGEST_HISTORY:]
            record.write_json(str(self.folder(key) / HISTORY), {"events": events})
