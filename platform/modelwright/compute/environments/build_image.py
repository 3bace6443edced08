"""Builds the environment of a requirements file as an image. Runs as a workload on hosts with containers.

It takes the words of `build.py` and writes the same `result.json`, with `"image"` besides. Nothing of a package runs in
this process: it asks the keeper for the lock and for the image, and shows the logs of both as its own. Environment:
`MODELWRIGHT_KEEPER_SOCKET`; `MODELWRIGHT_WORKLOAD` names the attempt.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import BackendError, UnavailableError
from modelwright.compute.backends.keeper.client import KeeperBackend
from modelwright.compute.environments.build import LOCK, BuildError, arguments, finish, lock_digest, say
from modelwright.compute.images.order import BuildOrder, BuildPhase, BuildState, LockOrder

POLL_SECONDS = 0.3
# How long a keeper may be away in the middle of a build.
PATIENCE_SECONDS = 120.0
Ask = Callable[[], BuildState]


def make(given: argparse.Namespace, keeper: KeeperBackend, attempt: str) -> dict[str, Any]:
    """The lock and the image. Raises BuildError."""
    text = given.source.read_text(encoding="utf-8")
    if given.source.name == LOCK:
        lock = text
    else:
        say(f"Resolving {given.source.name} for Python {given.python}")
        added = given.additions.read_text(encoding="utf-8") if given.additions is not None else ""
        wanted = LockOrder(text, given.source.name, given.python, attempt, added)
        lock = follow(lambda: keeper.resolve(wanted)).lock
    digest = lock_digest(lock, given.python)
    order = BuildOrder(lock=lock, python=given.python, path=str(given.environments / digest), attempt=attempt)
    say(f"Making the image of environment {digest[:12]}")
    built = follow(lambda: keeper.build_image(order))
    reason = f"The image of lock {digest[:12]} was on the host." if built.reused else "Built: no image had this lock."
    return {
        "lock": lock,
        "digest": digest,
        "python": given.python,
        "image": built.image,
        "size_bytes": built.size_bytes,
        "reused": built.reused,
        "reason": reason,
    }


def follow(ask: Ask) -> BuildState:
    """Asks until it is over, and copies the log meanwhile. Raises BuildError."""
    shown, away_since = 0, time.monotonic()
    while True:
        try:
            state = ask()
            away_since = time.monotonic()
        except UnavailableError as error:
            if time.monotonic() - away_since > PATIENCE_SECONDS:
                raise BuildError(str(error), "An administrator should look at the keeper of this host.") from error
            time.sleep(1)
            continue
        except BackendError as error:
            raise BuildError(str(error), "Correct what it says, then start the run again.") from error
        shown = show(Path(state.log), shown) if not state.reused else shown
        if state.phase is BuildPhase.FAILED:
            raise BuildError(state.error, state.remedy)
        if state.phase is BuildPhase.READY:
            return state
        time.sleep(POLL_SECONDS)


def show(log: Path, offset: int) -> int:
    """Writes what the log has from the offset on; returns where it ends."""
    try:
        with log.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except FileNotFoundError:
        return offset
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return offset + len(data)


def main() -> int:
    """See the module's first lines."""
    given = arguments()
    # The keeper's folders are its own business: this only asks for locks and images.
    keeper = KeeperBackend(Path(os.environ["MODELWRIGHT_KEEPER_SOCKET"]), Path("/"))
    attempt = os.environ.get("MODELWRIGHT_WORKLOAD", str(os.getpid()))
    return finish(given.result, lambda: make(given, keeper, attempt))


if __name__ == "__main__":
    sys.exit(main())
