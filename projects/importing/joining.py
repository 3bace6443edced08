"""How the newest commit of a repository elsewhere becomes a project's, without a commit of the project's being lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from modelwright.core.errors import Conflict
from projects import source
from projects.models import Project, SourceImport
from projects.source.git import GitRefused, run
from projects.source.records import Author
from projects.source.writing import commit_tree

Outcome = SourceImport.Outcome
_SHOWN = 5
_LFS = "filter=lfs"
_MOST_ATTRIBUTES = 20


class Way(NamedTuple):
    """What shall become of the main branch: `parents` are those of a commit that is still to be made, none for none."""

    outcome: Outcome
    parents: tuple[str, ...] = ()


def way_of(project: Project, head: str | None, imported: str, *, replace: bool, see: Mapping[str, str]) -> Way:
    """How `imported` follows the project's newest commit. `see` lets Git read what is not the project's yet.

    The project's files are those of `imported` afterwards. Where that would take away what somebody changed in the
    project, and `replace` does not say so, raises Conflict that says what stands against it.
    """
    git = _Git(project, see)
    if head is None or git.is_in(head, imported):
        return Way(Outcome.FORWARD if head != imported else Outcome.NOTHING_NEW)
    if git.is_in(imported, head):
        return Way(Outcome.NOTHING_NEW)
    common = git.common(head, imported)
    is_fresh = len(git.lines("rev-list", "--parents", "-n", "1", head)[0].split()) == 1
    is_unchanged = any(git.tree(one) == git.tree(head) for one in common)
    if not (replace or is_unchanged or (is_fresh and not common)):
        raise _stands_against(git, head, common)
    return Way(Outcome.JOINED, (head, imported))


def write(project: Project, imported: str, way: Way, *, message: str, author: Author) -> str:
    """The commit that shall be the newest one, made where there is none yet. The objects are the project's by now."""
    if not way.parents:
        return imported
    tree = _Git(project, {}).tree(imported)
    repository = source.repository_path(project)
    return commit_tree(repository, tree, message=message, author=author, parents=way.parents)


def left_behind(project: Project, imported: str, *, see: Mapping[str, str]) -> str:
    """What of the repository did not come along, in words; empty where everything did."""
    git = _Git(project, see)
    entries = [line.partition("\t") for line in git.said("ls-tree", "-r", "-z", imported).split("\0")[:-1]]
    modules = [path for facts, _, path in entries if facts.startswith("160000 ")]
    rules = [path for _, _, path in entries if path.rpartition("/")[2] == ".gitattributes"][:_MOST_ATTRIBUTES]
    notes = []
    if modules:
        notes.append(f"Submodules are not fetched: {_some(modules)}. Import each into a project of its own.")
    if any(_LFS in git.said("cat-file", "blob", f"{imported}:{path}") for path in rules):
        notes.append("Files that Git LFS keeps came as the short texts that stand for them. Let runs read the data.")
    return " ".join(notes)


class _Git:
    def __init__(self, project: Project, see: Mapping[str, str]) -> None:
        self._repository = source.repository_path(project)
        self._see = dict(see)

    def said(self, *arguments: str) -> str:
        return run(self._repository, arguments, extra_environment=self._see).decode(errors="replace")

    def lines(self, *arguments: str) -> list[str]:
        return self.said(*arguments).splitlines()

    def common(self, commit: str, other: str) -> list[str]:
        """The commits that both go back to, none for strangers' histories."""
        try:
            return self.lines("merge-base", "--all", commit, other)
        except GitRefused as error:
            _check_is_no(error)
            return []

    def tree(self, commit: str) -> str:
        return self.said("rev-parse", f"{commit}^{{tree}}").strip()

    def is_in(self, commit: str, other: str) -> bool:
        try:
            self.said("merge-base", "--is-ancestor", commit, other)
        except GitRefused as error:
            _check_is_no(error)
            return False
        return True


def _check_is_no(error: GitRefused) -> None:
    """`merge-base` says no with the status 1. All else is no answer, and nothing of a project's goes by it."""
    if error.status != 1:
        raise error


def _stands_against(git: _Git, head: str, common: list[str]) -> Conflict:
    if not common:
        return Conflict(
            "The project has commits of its own and none in common with that repository, whose files would take the "
            "place of the project's.",
            remedy="Import into a new project, or import again and choose to replace the project's files: their "
            "versions stay in its history.",
        )
    changed = [path for path in git.said("diff", "--name-only", "-z", common[0], head, "--").split("\0") if path]
    return Conflict(
        f"Since commit {common[0][:12]}, which both have, the project has changed {_some(changed)} itself, and the "
        "repository has gone on as well.",
        remedy="Merge them with Git: clone the project, `git pull` that address into it, and push. Or import again and "
        "choose to replace the project's files: their versions stay in its history.",
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(name[:80] for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
