"""What somebody pushes: kept apart until it is known to be sound, then all of it becomes the project's, or nothing."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings

from modelwright.core.errors import Conflict, Unavailable, ValidationFailed
from projects.models import Project
from projects.source.bounds import files_of
from projects.source.git import GitRefused, command, environment, missing, run
from projects.source.paths import check_path
from projects.source.reading import branch_ref, repository_path

NO_COMMIT = "0" * 40
MAX_PACK_BYTES = 512 * 1024 * 1024
MAX_OBJECTS = 500_000
UNPACK_SECONDS = 300
MAX_MEMORY_BYTES = 3 * 1024**3
# Of a commit, a tag or a folder.
MAX_OTHER_BYTES = 32 * 1024 * 1024
_BRANCH = "refs/heads/"
_TAG = "refs/tags/"
# The project's own packs are mapped in pieces, as memory counts what is mapped.
_FRUGAL = ("-c", "core.packedGitLimit=512m", "-c", "core.packedGitWindowSize=32m")
_BOUNDED = 'ulimit -v "$0" 2>/dev/null || :; exec "$@"'
_REF = re.compile(r"refs/(?:heads|tags)/[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,118}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """A branch or tag that shall name `new` instead of `old`; `NO_COMMIT` stands for one that is not there."""

    name: str
    old: str
    new: str


def references(project: Project) -> dict[str, str]:
    """The branches and tags of the project, each with the object that it names."""
    listed = run(repository_path(project), ["for-each-ref", "--format=%(objectname) %(refname)", _BRANCH, _TAG])
    lines = [line.split(" ", 1) for line in listed.decode().splitlines()]
    return {name: commit for commit, name in lines}


@dataclass(frozen=True, slots=True)
class Incoming:
    """Objects that are not the project's yet, in `folder`. Git sees them beside the project's through `see`."""

    project: Project
    folder: Path

    @property
    def see(self) -> dict[str, str]:
        """The variables with which Git reads both and writes here."""
        objects = repository_path(self.project) / "objects"
        return {"GIT_OBJECT_DIRECTORY": str(self.folder), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}

    def unpack(self, pack: IO[bytes]) -> None:
        """Take the pack in. Raises ValidationFailed where it is broken or too large, Unavailable."""
        (self.folder / "pack").mkdir(parents=True)
        options = ["--stdin", "--fix-thin", "--strict", "--threads=2", f"--max-input-size={MAX_PACK_BYTES}"]
        program, *common = command(repository_path(self.project), "index-pack", *options)
        git = [program, *_FRUGAL, *common]
        try:
            done = subprocess.run(
                # What a pack unfolds to is held in memory piece by piece, and a piece is as large as it says.
                ["sh", "-c", _BOUNDED, str(MAX_MEMORY_BYTES // 1024), *git],
                stdin=pack,
                capture_output=True,
                env=environment(self.see),
                timeout=UNPACK_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise missing() from None
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"Git did not take the push in within {UNPACK_SECONDS} seconds.", remedy="Push fewer commits at once."
            ) from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise ValidationFailed(
                f"Git refused the pack: {said[-1][:200] if said else 'it is cut short'}.",
                remedy=f"Check the repository with `git fsck`; a push has at most {MAX_PACK_BYTES // 1024**2} MiB.",
            )

    def check(self, updates: list[RefUpdate]) -> None:
        """Raises ValidationFailed or Conflict for the first change that the project does not take."""
        for update in updates:
            _check_name(self.project, update)
        there = references(self.project)
        for update in updates:
            if there.get(update.name, NO_COMMIT) != update.old:
                raise Conflict(f"{update.name} has moved meanwhile.", remedy="Fetch first, then push again.")
            if update.new != NO_COMMIT:
                self.check_history(update)
        self.check_objects([update.new for update in updates if update.new != NO_COMMIT])

    def keep(self) -> None:
        """Make the objects the project's. Doing it twice is harmless; no branch names them yet."""
        target = repository_path(self.project) / "objects" / "pack"
        target.mkdir(exist_ok=True)
        # A pack without its index is not there for Git, so the index comes last.
        for kind in ("*.pack", "*.rev", "*.idx"):
            for file in (self.folder / "pack").glob(kind):
                file.replace(target / file.name)

    def _git(self, *arguments: str) -> str:
        return run(repository_path(self.project), arguments, extra_environment=self.see).decode(errors="replace")

    def check_history(self, update: RefUpdate) -> None:
        """Raises ValidationFailed or Conflict unless it names a commit, and a branch only moves forward."""
        is_branch = update.name.startswith(_BRANCH)
        try:
            kind = self._git("cat-file", "-t", update.new).strip()
        except GitRefused:
            kind = ""
        if kind not in (("commit",) if is_branch else ("commit", "tag")):
            raise ValidationFailed(f"{update.name} would name no commit.", remedy="Push a commit.")
        if update.old == NO_COMMIT:
            return
        if not is_branch:
            raise Conflict(f"The tag {update.name[len(_TAG) :]} is there already.", remedy="Choose a new one.")
        try:
            self._git("merge-base", "--is-ancestor", update.old, update.new)
        except GitRefused:
            raise Conflict(
                f"{update.name[len(_BRANCH) :]} would lose commits, which runs and models may name.",
                remedy="Pull, or push to another branch.",
            ) from None

    def check_objects(self, tips: list[str]) -> None:
        """Everything is there, no file is too large, and every path of the new trees can be shown."""
        if not tips:
            return
        try:
            listed = self._git("rev-list", "--objects", *tips, "--not", "--all").splitlines()
        except GitRefused:
            raise ValidationFailed("Objects are missing from the push.", remedy="Fetch, then push again.") from None
        if len(listed) > MAX_OBJECTS:
            raise ValidationFailed(f"A push has at most {MAX_OBJECTS:,} objects.", remedy="Push fewer commits at once.")
        names = "".join(f"{line}\n" for line in listed).encode()
        facts = run(
            repository_path(self.project),
            ["cat-file", "--batch-check=%(objecttype) %(objectsize) %(rest)"],
            stdin=names,
            extra_environment=self.see,
        )
        for line in facts.decode(errors="replace").splitlines():
            kind, size, path = (*line.split(" ", 2), "", "")[:3]
            if kind == "blob" and int(size) > settings.GIT_FILE_BYTES:
                raise ValidationFailed(
                    f"{path[:200]} has {int(size):,} bytes, in the newest commit or an earlier one; a file under Git "
                    f"has at most {settings.GIT_FILE_BYTES // 1024**2} MiB here.",
                    remedy="Keep data out of Git: let a run read it and log it as an artifact. Or have the "
                    "administrator allow larger files (MODELWRIGHT_GIT_FILE_MIB).",
                )
        for tip in tips:
            for file in files_of(repository_path(self.project), f"{tip}^{{tree}}", see=self.see):
                # Bytes that are no text are shown as such.
                check_path(file.path.encode(errors="surrogateescape").decode(errors="replace"))
        self._check_all()

    def _check_all(self) -> None:
        """Also what no branch names comes with the pack, and can be asked for by its id."""
        listed = run(
            repository_path(self.project),
            ["cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectsize)"],
            extra_environment={"GIT_OBJECT_DIRECTORY": str(self.folder)},
        )
        for line in listed.decode().splitlines():
            kind, size = line.split(" ")
            if int(size) > (settings.GIT_FILE_BYTES if kind == "blob" else MAX_OTHER_BYTES):
                raise ValidationFailed(
                    f"The pack holds a {kind} of {int(size):,} bytes that no branch names, or that is no file.",
                    remedy="Push what a clone of the repository has, and nothing else.",
                )


@contextlib.contextmanager
def incoming(project: Project) -> Iterator[Incoming]:
    """An empty place for a push, on the disk of the repository. What was not kept is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="incoming-", dir=repository_path(project) / "objects"))
    try:
        yield Incoming(project, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def update_references(project: Project, updates: list[RefUpdate]) -> None:
    """Make all changes at once. Raises Conflict where a branch or tag is no longer what the push took it for."""
    lines = [
        f"delete {each.name} {each.old}" if each.new == NO_COMMIT else f"update {each.name} {each.new} {each.old}"
        for each in updates
    ]
    try:
        run(repository_path(project), ["update-ref", "--stdin"], stdin=("\n".join(lines) + "\n").encode())
    except GitRefused:
        raise Conflict(
            "A branch has moved meanwhile, or is being written.", remedy="Fetch first, then push again."
        ) from None


def _check_name(project: Project, update: RefUpdate) -> None:
    name = update.name
    if not _REF.fullmatch(name) or ".." in name or "//" in name or "/." in name or name.endswith(".lock"):
        raise ValidationFailed(
            f"{name[:80]!r} is no branch or tag that can be pushed.",
            remedy="Use letters, digits, hyphens, dots and slashes, 120 at most.",
        )
    if update.new != NO_COMMIT:
        return
    if name == branch_ref(project):
        raise Conflict(f"{project.default_branch} is the project's main branch.", remedy="It cannot be deleted.")
    if name.startswith(_TAG):
        raise Conflict(f"The tag {name[len(_TAG) :]} stays.", remedy="Tags cannot be deleted or moved.")
