"""The agent: saves the tree, and tells the platform how the session is."""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from modelwright_runtime.session import lab, overlay
from modelwright_runtime.session.commands import notes_of
from modelwright_runtime.session.git import GitError
from modelwright_runtime.session.orders import Orders
from modelwright_runtime.session.telling import PlatformError, tell
from modelwright_runtime.session.tree import Tree
from modelwright_runtime.session.usage import usage_below

SAVE_SECONDS = 10.0
BEAT_SECONDS = 5.0
LOOK_SECONDS = 0.25
# So much of a CPU over the time between two beats is work that somebody waits for, even if no kernel says so.
WORKING_CPU = 0.2


class Agent:
    """Works until `end` is set. Trouble of one round is told once and left to the next."""

    def __init__(self, orders: Orders, tree: Tree, venv: Path, end: threading.Event) -> None:
        self._orders, self._tree, self._venv, self.end = orders, tree, venv, end
        self._note = orders.private / "saved"
        self._saved_at, self._seen, self._beat_at = 0.0, 0, 0.0
        self._saved: dict[str, Any] = {}
        self._cpu, self._cpu_at, self._active_at = 0.0, time.monotonic(), time.time()
        self._said = ""
        self._notes = notes_of(orders)

    def run(self) -> None:
        """Save and tell, until the end."""
        while not self.end.wait(LOOK_SECONDS):
            now, seen = time.monotonic(), self._touched()
            if seen != self._seen or now - self._saved_at >= SAVE_SECONDS:
                self._seen = seen
                self.save()
            if now - self._beat_at >= BEAT_SECONDS:
                self._beat_at = now
                self.beat()

    def save(self) -> None:
        """Save what changed, now."""
        try:
            self._tree.push_branch()
        except GitError as error:
            self._trouble(f"The branch could not be pushed: {error}")
        try:
            saved = self._tree.save()
            if saved is not None:
                self._saved = {"saved": saved.commit, "left_out": list(saved.left_out)}
                self._active_at = time.time()
                self.beat()
        except GitError as error:
            self._trouble(f"What is in the tree could not be saved: {error}")
        self._saved_at = time.monotonic()

    def beat(self, *, is_end: bool = False, ending: str = "") -> None:
        """Tell how the session is, and do what the platform asks for. `ending`: why it ended by itself."""
        why = {"ending": ending} if ending else {}
        try:
            answer = tell(self._orders, "beat", {**self._facts(), **self._saved, **why, "is_end": is_end})
            for notes in self._notes:
                notes.send()
        except PlatformError as error:
            self._trouble(f"The platform does not answer: {error}")
            return
        if is_end:
            return
        try:
            self._tree.follow(str(answer.get("branch") or ""))
            _add_lines(self._orders.tree / "requirements.txt", answer.get("add") or [])
        except (GitError, OSError) as error:
            self._trouble(f"What was done on the session's page could not be taken over: {error}")

    def _facts(self) -> dict[str, Any]:
        now, used = time.monotonic(), usage_below(os.getpid())
        if used.cpu_seconds - self._cpu > WORKING_CPU * max(now - self._cpu_at, 0.1) and self._cpu:
            self._active_at = time.time()
        self._cpu, self._cpu_at = used.cpu_seconds, now
        try:
            said = lab.activity(self._orders.socket)
        except (OSError, ValueError, http.client.HTTPException):
            said = lab.Activity(0.0, False, 0, 0)
        if said.is_busy:
            self._active_at = time.time()
        return {
            "idle_seconds": max(0.0, time.time() - max(said.last, self._active_at)),
            "is_busy": said.is_busy,
            "kernels": said.kernels,
            "terminals": said.terminals,
            "cpu_seconds": round(used.cpu_seconds, 2),
            "memory_bytes": used.memory_bytes,
            "processes": used.processes,
            "packages": overlay.installed(self._venv),
        }

    def _touched(self) -> int:
        try:
            return self._note.stat().st_mtime_ns
        except OSError:
            return 0

    def _trouble(self, text: str) -> None:
        if text != self._said:
            self._said = text
            print(text, file=sys.stderr, flush=True)


def _add_lines(file: Path, lines: list[Any]) -> None:
    """Append the requirements that are not in the file yet."""
    wanted = [str(line) for line in lines]
    if not wanted:
        return
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    there = {line.strip() for line in text.splitlines()}
    new = [line for line in wanted if line not in there]
    if new:
        file.write_text("".join([text, "" if not text or text.endswith("\n") else "\n", *(f"{n}\n" for n in new)]))
