"""Builds the image of an environment once and finds it again by its content."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import BackendError
from modelwright.compute.backends.docker.engine import Api, connect, is_absent, told_apart
from modelwright.compute.backends.shim import record
from modelwright.compute.images.order import BuildOrder, BuildPhase, BuildState
from modelwright.compute.images.recipe import context, remedy

logger = logging.getLogger(__name__)
BASE = "python:{python}-slim"
SHOWN_LINES = 12


class ImageBuilder:
    """Keeps a folder with log and outcome for each image below `root`. Only the keeper makes one."""

    def __init__(self, root: Path, *, instance: str, engine: str = "", base: str = BASE) -> None:
        """`base` may contain `{python}`."""
        self._root = root
        self._instance = instance
        self._engine = engine
        self._base = base
        self._api: Api = None

    def ensure(self, order: BuildOrder) -> BuildState:
        """Begins to build unless the image is there, is being built or failed in this attempt; returns at once."""
        base = self._base.format(python=order.python)
        with told_apart(f"The image of an environment on {base} could not be built"):
            self._api = self._api or connect(self._engine)
            image = order.image(str(self._api.inspect_image(base)["Id"]))
            folder = self._root / image.rpartition(":")[2]
            folder.mkdir(parents=True, exist_ok=True)
            log = folder / "log"
            state = BuildState(image, BuildPhase.BUILDING, log=str(log))
            if self._is_there(image):
                return _ready(image, folder, order.attempt)
        known = record.read_json(str(folder / "failed.json"))
        if known is not None and known.pop("attempt") == order.attempt:
            return BuildState(image, BuildPhase.FAILED, log=str(log), **known)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not record.take_lock(descriptor):
            os.close(descriptor)
            return state
        log.write_text("")
        threading.Thread(target=self._build, args=(order, base, image, folder, descriptor), daemon=True).start()
        return state

    def _is_there(self, image: str) -> bool:
        try:
            self._api.inspect_image(image)
        except Exception as error:
            if is_absent(error):
                return False
            raise
        return True

    def _build(self, order: BuildOrder, base: str, image: str, folder: Path, lock: int) -> None:
        """In a thread: as long as it lives it holds the lock, so a keeper that dies leaves no build behind."""
        began, lines = time.monotonic(), [""]
        try:
            with (folder / "log").open("w", encoding="utf-8") as log:
                for line in self._steps(order, base, image):
                    lines.append(line)
                    log.write(line)
                    log.flush()
            built = {"seconds": round(time.monotonic() - began, 3), "attempt": order.attempt}
            record.write_json(str(folder / "built.json"), built)
            (folder / "failed.json").unlink(missing_ok=True)
        except BackendError as error:
            output = "".join(lines)
            text = "\n".join([*output.strip().splitlines()[-SHOWN_LINES:], str(error)]).strip()
            seconds = round(time.monotonic() - began, 3)
            failed = {"error": text, "remedy": remedy(output + str(error)), "seconds": seconds}
            record.write_json(str(folder / "failed.json"), {**failed, "attempt": order.attempt})
        except Exception:
            logger.exception("building %s", image)
        finally:
            os.close(lock)

    def _steps(self, order: BuildOrder, base: str, image: str) -> Iterator[str]:
        """The build's output. Raises BackendError when it fails."""
        with told_apart("The image could not be built"):
            stream = self._api.build(
                fileobj=context(order, base, self._instance),
                custom_context=True,
                tag=image,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=3600,
            )
            with contextlib.closing(stream):
                for piece in stream:
                    yield _text(piece)


def _ready(image: str, folder: Path, attempt: str) -> BuildState:
    built = record.read_json(str(folder / "built.json")) or {}
    is_same = built.get("attempt") == attempt
    seconds = float(built.get("seconds", 0)) if is_same else 0.0
    return BuildState(image, BuildPhase.READY, log=str(folder / "log"), seconds=seconds, reused=not is_same)


def _text(piece: dict[str, Any]) -> str:
    if "error" in piece:
        raise BackendError(str(piece["error"]))
    return str(piece.get("stream", ""))
