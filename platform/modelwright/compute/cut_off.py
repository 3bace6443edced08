"""A host that no longer reaches PostgreSQL: what it ends by itself, so that nothing runs twice.

Elsewhere nobody can tell a host that is cut off from one that has burnt down. After `selectors.HEARTBEAT_LIMIT` of
silence its workloads are lost, and those that may be tried again start on another host. By then they must have ended
here, so the host gives up first: `GIVE_UP_AFTER` and the longest grace period together are less than that limit. What
is not tried again elsewhere goes on: a replica still answers, and whatever is stale is stopped when the host is back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from django.conf import settings
from django.db import OperationalError

from modelwright.compute.backends.base import Backend, Cause, Phase
from modelwright.compute.layout import local_backend
from modelwright.compute.models import Workload

logger = logging.getLogger(__name__)

GIVE_UP_AFTER = 32.0
# A watcher that has just found its way back waits for the others to find theirs before it takes one for gone.
STEADY_AFTER = 15.0
# Longer than this without an answer is an interruption.
GAP = 10.0
REFUSALS = ("password authentication failed", "is not permitted to log in", "does not exist")
MESSAGE = "Its host could not reach the platform and ended it, so that it can run elsewhere without running twice."


class Contact:
    """When this process last had an answer from PostgreSQL, by a clock that nobody sets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._last = clock()
        self._since: float | None = None
        self._refused_since: float | None = None
        self._looked, self._excused = clock(), -1.0

    def made(self, asked_at: float) -> None:
        """A question that was sent at `asked_at` was answered."""
        if self._since is None or asked_at - self._last > GAP:
            self._since = asked_at
        self._last, self._refused_since = asked_at, None

    def failed(self, error: Exception) -> None:
        """A question failed. A refusal is another matter than silence: the host may have been removed."""
        if not any(words in str(error) for words in REFUSALS):
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = self.now()

    @property
    def silent_for(self) -> float:
        """Seconds since the last answer, or since the start."""
        return self.now() - self._last

    @property
    def refused_for(self) -> float:
        """Seconds for which the database has done nothing but refuse this host."""
        return 0.0 if self._refused_since is None else self.now() - self._refused_since

    @property
    def is_steady(self) -> bool:
        """Whether it has lasted long enough to take another host's silence for that host's fault."""
        return self._since is not None and self.silent_for < GAP and self.now() - self._since >= STEADY_AFTER

    def was_stopped(self) -> bool:
        """Whether whoever looks at this now and then comes so late that the process itself was stopped, or its machine:
        the silence may be its own, so the others get the moment that they need to ask. Once for each silence."""
        late, self._looked = self.now() - self._looked, self.now()
        if late <= GAP or self._excused == self._last:
            return False
        self._excused = self._last
        return True


CONTACT = Contact()


def may_run_again(workload: Workload) -> bool:
    """Whether it is tried again elsewhere when its host is gone."""
    return bool(workload.spec.get("retryable"))


def note_start(workload: Workload) -> None:
    """Before the start: notes on the disk that it may be tried again elsewhere, since the database may be away then."""
    if may_run_again(workload) and workload.key_name:
        _folder().mkdir(parents=True, exist_ok=True)
        (_folder() / workload.key_name).touch()


def notes() -> set[str]:
    """The names of the workloads that `note_start` noted."""
    return {note.name for note in _folder().glob("*")}


def keep_notes(live: Iterable[Workload], noted: set[str]) -> None:
    """Forgets the notes of what is over. `noted` was looked up before `live`, so that no new one is taken for old."""
    for name in noted - {workload.key_name for workload in live}:
        (_folder() / name).unlink(missing_ok=True)


def end_when_cut_off(backend: Backend | None = None, contact: Contact = CONTACT) -> int:
    """One tick on a host: ends what may run elsewhere once the platform is out of reach; returns how much that was.

    Where the database has refused this host for as long, the host was removed, and everything here ends.
    """
    if contact.was_stopped() or contact.silent_for < GIVE_UP_AFTER:
        return 0
    noted = notes()
    everything = contact.refused_for >= GIVE_UP_AFTER
    backend, ended = backend or local_backend(), 0
    for status in backend.list():
        if status.phase is Phase.ENDED or not (everything or status.key.name in noted):
            continue
        logger.warning(
            "workload %s is ended: no answer from the database for %.0f s", status.key.name, contact.silent_for
        )
        backend.stop(status.key, cause=Cause.LOST, message=MESSAGE)
        ended += 1
    if everything and not ended:
        mark_removed()
    return ended


def in_contact(step: Callable[[], object], contact: Contact = CONTACT) -> None:
    """Runs a step that asks the database, and remembers whether it was answered."""
    asked_at = contact.now()
    try:
        step()
    except OperationalError as error:
        contact.failed(error)
        raise
    contact.made(asked_at)


def mark_removed() -> None:
    """Tells `./modelwright host` that this host was removed and has nothing left to do."""
    (Path(settings.DATA_DIR) / "host-removed").touch()


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "retryable"
