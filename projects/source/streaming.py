"""Files of any size, read block by block."""

from __future__ import annotations

import subprocess
import threading
from types import TracebackType

from projects.models import Project
from projects.source.git import command, environment, missing
from projects.source.reading import repository_path

TIMEOUT_SECONDS = 600


class FileStream:
    """The bytes of the content `digest` of a project, from the first to the last, once. Raises Unavailable without Git.

    Git is ended when it is closed, and after ten minutes; whoever reads then finds the end, so that a reader that was
    promised more bytes knows that it has not all of them.
    """

    def __init__(self, project: Project, digest: str) -> None:
        try:
            self._git = subprocess.Popen(
                command(repository_path(project), "cat-file", "blob", digest),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(),
            )
        except FileNotFoundError:
            raise missing() from None
        self._timer = threading.Timer(TIMEOUT_SECONDS, self._git.kill)
        self._timer.daemon = True
        self._timer.start()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        assert self._git.stdout is not None  # noqa: S101 - asked for as a pipe
        return self._git.stdout.read(size)

    def close(self) -> None:
        """End Git, whether all was read or not. Twice is harmless."""
        self._timer.cancel()
        self._git.kill()
        self._git.wait()
        if self._git.stdout is not None:
            self._git.stdout.close()

    def __enter__(self) -> FileStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
