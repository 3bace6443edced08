"""The branch of a session and what it saved, in the project's repository."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from modelwright.core.errors import Conflict, Unavailable
from projects import source
from projects.models import Project
from projects.source.git import GitRefused, command, environment, run, run_for_beginning
from projects.source.records import Author, ChangedFile
from projects.source.writing import commit_tree
from sessions.models import Session

MAX_PATCH_BYTES = 200_000
MAX_FILES = 500
MERGE_SECONDS = 60
MOST_PACKS = 50
_NO_COMMIT = "0" * 40
_DIFF = ["diff-tree", "--no-commit-id", "-r", "--no-renames", "--no-ext-diff", "--no-textconv"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two commits. `is_truncated` says that there is more than is shown."""

    files: tuple[ChangedFile, ...] = ()
    patch: str = ""
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a session's work stands: the tip of its branch, what it saved, and how the branch stands to the main one.

    `ahead` are commits that the main branch lacks, `behind` those that the session's branch lacks.
    """

    branch: str | None
    saved: str | None
    main: str | None
    ahead: int = 0
    behind: int = 0

    @property
    def is_uncommitted(self) -> bool:
        """Whether something was saved that the branch might lack."""
        return self.saved is not None and self.saved != self.branch


def branch_ref(session: Session) -> str:
    """The full name of its branch."""
    return f"refs/heads/{session.branch}"


def tip(project: Project, ref: str) -> str | None:
    """The commit that a reference names, None for none."""
    try:
        found = run(source.repository_path(project), ["rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"])
    except GitRefused:
        return None
    return found.decode().strip()


def make_branch(session: Session, commit: str) -> None:
    """Make its branch at a commit. Raises Conflict where somebody has made one of that name."""
    try:
        run(source.repository_path(session.project), ["update-ref", branch_ref(session), commit, _NO_COMMIT])
    except GitRefused:
        raise Conflict(
            f"There is a branch {session.branch} in the project already.", remedy="Start the session again."
        ) from None


def remove(session: Session) -> None:
    """Remove its branch and what it saved. Twice is harmless."""
    for ref in (branch_ref(session), session.saved_ref):
        run(source.repository_path(session.project), ["update-ref", "-d", ref])


def pack_together(project: Project, most: int = MOST_PACKS) -> bool:
    """Make one pack of many, as each save leaves one; False where there are few. Nothing is lost, named or not.

    The caller holds the project's row, so that nobody writes meanwhile. Raises Unavailable, and then all is as it was.
    """
    repository = source.repository_path(project)
    if len(list((repository / "objects" / "pack").glob("*.pack"))) <= most:
        return False
    # Runs and audit rows name commits that no branch names any more.
    run(repository, ["repack", "-a", "-d", "--keep-unreachable", "-q"])
    return True


def standing(session: Session) -> Standing:
    """Where its work stands now."""
    project = session.project
    branch, saved = tip(project, branch_ref(session)), tip(project, session.saved_ref)
    main = source.head(project)
    if branch is None or main is None:
        return Standing(branch, saved, main)
    counted = run(source.repository_path(project), ["rev-list", "--left-right", "--count", f"{main}...{branch}"])
    behind, ahead = map(int, counted.split())
    return Standing(branch, saved, main, ahead=ahead, behind=behind)


def changes(project: Project, before: str, after: str) -> Changes:
    """What changed between two commits."""
    repository = source.repository_path(project)
    numbers = run(repository, [*_DIFF, "-z", "--numstat", before, after]).decode(errors="replace").split("\0")[:-1]
    files = []
    for line in numbers[:MAX_FILES]:
        added, removed, path = line.split("\t", 2)
        files.append(ChangedFile(path, *(int(n) if n.isdigit() else None for n in (added, removed))))
    patch, is_more = b"", False
    if files:
        patch, is_more = run_for_beginning(repository, [*_DIFF, "--patch", before, after], MAX_PATCH_BYTES)
    return Changes(
        files=tuple(files),
        patch=patch.decode(errors="replace"),
        is_truncated=is_more or len(numbers) > MAX_FILES,
    )


def write_saved(project: Project, *, saved: str, parent: str, message: str, author: Author) -> str:
    """Write a commit that holds what was saved, on top of `parent`; return its id. No branch names it yet."""
    return _write(project, f"{saved}^{{tree}}", [parent], message, author)


def write_merge(project: Project, *, ours: str, theirs: str, message: str, author: Author) -> str:
    """Write what becomes of `ours` when `theirs` is merged into it; return the commit, `theirs` where that is all.

    Raises Conflict that names the files in which both changed the same lines.
    """
    repository = source.repository_path(project)
    base = run(repository, ["merge-base", ours, theirs]).decode().strip()
    if base == ours:
        return theirs
    try:
        done = subprocess.run(
            command(repository, "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs),
            capture_output=True,
            env=environment(),
            timeout=MERGE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Git did not merge within {MERGE_SECONDS} seconds.", remedy="Try again.") from None
    tree, *others = done.stdout.decode(errors="replace").split("\0")
    if done.returncode not in (0, 1):
        raise Unavailable(
            f"Git could not merge: {done.stderr.decode(errors='replace')[:300]}", remedy="Merge it in the session."
        )
    if done.returncode:
        names = ", ".join(sorted({name for name in others if name})[:10])
        raise Conflict(
            f"Both sides changed the same lines of {names}.",
            remedy="In a terminal of the session: `git fetch origin && git merge origin/"
            f"{project.default_branch}`, resolve the files that it names, commit, and merge here again.",
        )
    return _write(project, tree, [ours, theirs], message, author)


def _write(project: Project, tree: str, parents: list[str], message: str, author: Author) -> str:
    repository = source.repository_path(project)
    named = run(repository, ["rev-parse", "--verify", tree]).decode().strip()
    return commit_tree(repository, named, message=message, author=author, parents=parents)


def point(project: Project, ref: str, commit: str, before: str) -> None:
    """Have a reference name another commit. Raises Conflict where it has moved meanwhile."""
    try:
        run(source.repository_path(project), ["update-ref", ref, commit, before])
    except GitRefused:
        raise Conflict(
            f"{ref.removeprefix('refs/heads/')} has moved meanwhile.", remedy="Reload the page and look again."
        ) from None
