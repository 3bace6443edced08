"""Builds the image of an environment once and finds it again by its content; makes locks of requirements."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import BackendError
from modelwright.compute.backends.shim import record
from modelwright.compute.images.order import IMAGE, BuildOrder, BuildPhase, BuildState, LockOrder
from modelwright.compute.images.recipe import remedy
from modelwright.compute.images.steps import BASE, Say, Steps, log_in, size_of

logger = logging.getLogger(__name__)
SHOWN_LINES = 12
Values = dict[str, Any]


class ImageBuilder:
    """Keeps a folder with log and outcome for each image and lock below `root`. Only the keeper makes one."""

    def __init__(
        self,
        root: Path,
        *,
        instance: str,
        engine: str = "",
        base: str = BASE,
        uv: str = "",
        network: str = "",
        registry: str = "",
    ) -> None:
        """See `Steps`."""
        self._root = root
        self._steps = Steps(instance=instance, engine=engine, base=base, uv=uv, network=network, registry=registry)

    def ensure(self, order: BuildOrder) -> BuildState:
        """Begins to build unless the image is there, is being built or failed in this attempt; returns at once.

        Only a base that the engine has to fetch first keeps the caller waiting.
        """
        base = self._steps.base(order.python)
        image = order.image(str(base["Id"]))
        folder = self._folder(image.rpartition(":")[2])

        def made() -> BuildState | None:
            found = self._steps.find(image)
            is_there = found is not None and self._is_pushed(folder)
            return _ready(image, folder, order.attempt, size_of(found, base)) if found and is_there else None

        return self._begun(folder, order.attempt, image, lambda say: self._image(order, image, say), made)

    def remove(self, image: str) -> None:
        """Removes an image that was made here, and what is kept of its build. Raises BackendError for any other."""
        if not IMAGE.fullmatch(image):
            raise BackendError(f"{image[:100]!r} is not an image of an environment.")
        self._steps.remove(image)
        shutil.rmtree(self._root / image.rpartition(":")[2], ignore_errors=True)

    def resolve(self, order: LockOrder) -> BuildState:
        """Begins to make the lock unless it was made, is being made or failed in this attempt; returns at once."""
        folder = self._folder(order.name)

        def made() -> BuildState | None:
            known = record.read_json(str(folder / "built.json"))
            if known is None:
                return None
            known.pop("attempt")
            return BuildState("", BuildPhase.READY, log=str(log_in(folder)), **known)

        return self._begun(folder, order.attempt, "", lambda say: {"lock": self._steps.lock(order, say)}, made)

    def _image(self, order: BuildOrder, image: str, say: Say) -> Values:
        if self._steps.find(image) is None:
            self._steps.image(order, image, say)
        self._steps.push(image, say)
        return {"registry": self._steps.registry}

    def _is_pushed(self, folder: Path) -> bool:
        """Whether the registry has it, where there is one; an image may be older than that."""
        known = record.read_json(str(folder / "built.json")) or {}
        return not self._steps.registry or known.get("registry") == self._steps.registry

    def _folder(self, name: str) -> Path:
        folder = self._root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _begun(
        self,
        folder: Path,
        attempt: str,
        image: str,
        work: Callable[[Say], Values],
        made: Callable[[], BuildState | None],
    ) -> BuildState:
        log = log_in(folder)
        if (over := made() or _failed(folder, attempt, image)) is not None:
            return over
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        has_begun = False
        try:
            if record.take_lock(descriptor):
                # The one before may have ended between the look and the lock: its work is not done twice.
                if (over := made() or _failed(folder, attempt, image)) is not None:
                    return over
                log.write_text("")
                threading.Thread(target=_run, args=(folder, attempt, work, descriptor), daemon=True).start()
                has_begun = True
        finally:
            if not has_begun:
                os.close(descriptor)
        return BuildState(image, BuildPhase.BUILDING, log=str(log))


def _failed(folder: Path, attempt: str, image: str) -> BuildState | None:
    known = record.read_json(str(folder / "failed.json"))
    if known is None or known.pop("attempt") != attempt:
        return None
    return BuildState(image, BuildPhase.FAILED, log=str(log_in(folder)), **known)


def _run(folder: Path, attempt: str, work: Callable[[Say], Values], lock: int) -> None:
    """In a thread: as long as it lives it holds the lock, so a keeper that dies leaves no build behind."""
    began, lines = time.monotonic(), [""]
    try:
        with log_in(folder).open("w", encoding="utf-8") as log:

            def say(text: str) -> None:
                lines.append(text)
                log.write(text)
                log.flush()

            values = work(say)
        built = {**values, "seconds": round(time.monotonic() - began, 3), "attempt": attempt}
        (folder / "failed.json").unlink(missing_ok=True)
        record.write_json(str(folder / "built.json"), built)
    except Exception as error:
        if not isinstance(error, BackendError):
            logger.exception("building in %s", folder)
        output = "".join(lines)
        text = "\n".join([*output.strip().splitlines()[-SHOWN_LINES:], str(error)]).strip()
        seconds = round(time.monotonic() - began, 3)
        failed = {"error": text, "remedy": remedy(output + str(error)), "seconds": seconds, "attempt": attempt}
        record.write_json(str(folder / "failed.json"), failed)
    finally:
        os.close(lock)


def _ready(image: str, folder: Path, attempt: str, size_bytes: int) -> BuildState:
    built = record.read_json(str(folder / "built.json")) or {}
    is_same = built.get("attempt") == attempt
    seconds = float(built.get("seconds", 0)) if is_same else 0.0
    return BuildState(
        image,
        BuildPhase.READY,
        log=str(log_in(folder)),
        seconds=seconds,
        size_bytes=size_bytes,
        reused=not is_same,
    )
