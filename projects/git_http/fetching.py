"""Lets Git answer what somebody clones or pulls (gitprotocol-http(5))."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import IO

from projects.git_http.packets import FLUSH, packet
from projects.models import Project
from projects.source.git import command, environment, missing
from projects.source.reading import repository_path

TIMEOUT_SECONDS = 600
# Branches and tags are for everyone who sees the project; what the platform keeps beside them is not.
_SHOWN = ("uploadpack.hideRefs=refs", "uploadpack.hideRefs=!refs/heads", "uploadpack.hideRefs=!refs/tags")
_VERSION = re.compile(r"version=[012]")
_BLOCK = 64 * 1024


def advertised(project: Project, protocol: str, *, also: Sequence[str] = ()) -> bytes:
    """The branches and tags, and `also`, as a client reads them before it fetches. Raises Unavailable without Git."""
    version = protocol if _VERSION.fullmatch(protocol) else ""
    answer = Answer(project, version, None, "--http-backend-info-refs", also=also)
    try:
        listed = b"".join(answer)
    finally:
        answer.close()
    return listed if version == "version=2" else packet("# service=git-upload-pack\n") + FLUSH + listed


class Answer:
    """What `git upload-pack` answers to the request in `body`, block by block, once. Raises Unavailable without Git.

    `also` names references that are shown besides branches and tags.
    """

    def __init__(
        self, project: Project, protocol: str, body: IO[bytes] | None, *options: str, also: Sequence[str] = ()
    ) -> None:
        path = repository_path(project)
        opened = [f"uploadpack.hideRefs=!{name}" for name in also]
        shown = [part for option in (*_SHOWN, *opened) for part in ("-c", option)]
        program, *common = command(path)
        given = {"GIT_PROTOCOL": protocol} if _VERSION.fullmatch(protocol) else {}
        try:
            self._git = subprocess.Popen(
                [program, *shown, *common, "upload-pack", "--strict", "--stateless-rpc", *options, str(path)],
                stdin=body or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(given),
            )
        except FileNotFoundError:
            raise missing() from None
        finally:
            if body is not None:
                body.close()
        # Whoever reads then finds the end.
        self._timer = threading.Timer(TIMEOUT_SECONDS, self._git.kill)
        self._timer.daemon = True
        self._timer.start()

    def block(self) -> bytes:
        """The next bytes, none at the end."""
        assert self._git.stdout is not None  # noqa: S101 - asked for as a pipe
        return os.read(self._git.stdout.fileno(), _BLOCK)

    def close(self) -> None:
        """End Git, whether it has answered everything or not. Twice is harmless."""
        self._timer.cancel()
        self._git.kill()
        self._git.wait()
        if self._git.stdout is not None:
            self._git.stdout.close()

    def __iter__(self) -> Iterator[bytes]:
        """For a synchronous server, which closes the answer itself."""
        while piece := self.block():
            yield piece


class AsyncAnswer:
    """The same for an asynchronous server, which would otherwise gather the whole before it sends a byte."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.close = answer.close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The blocks."""
        while piece := await asyncio.to_thread(self._answer.block):
            yield piece
