"""What is read from a repository."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a folder. `kind`: file, folder, link or submodule; `size` in bytes for files."""

    name: str
    path: str
    kind: str
    size: int | None


@dataclass(frozen=True, slots=True)
class FileContent:
    """At most the first bytes of a file, and its size as a whole."""

    path: str
    digest: str
    size: int
    data: bytes

    @property
    def is_truncated(self) -> bool:
        """Whether `data` is only the beginning."""
        return len(self.data) < self.size

    @property
    def text(self) -> str | None:
        """The content as text, None for a binary file."""
        if b"\0" in self.data:
            return None
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            # Reading may have stopped in the middle of a character.
            cut_off = self.is_truncated and error.start >= len(self.data) - 3
            return self.data[: error.start].decode() if cut_off else None


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit names as its author."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. `subject` is the first line of its message."""

    sha: str
    author: Author
    at: datetime
    parents: tuple[str, ...]
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that a commit changed; the counts of lines are None for a binary file."""

    path: str
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class CommitDiff:
    """What a commit changed against its first parent."""

    commit: Commit
    files: tuple[ChangedFile, ...]
    patch: str
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one commit to another."""

    base: Commit
    target: Commit
    files: tuple[ChangedFile, ...]
    patch: str
    is_truncated: bool
