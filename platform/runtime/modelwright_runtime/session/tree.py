"""The work tree of a session: fetched at the start, saved while somebody works, without touching what they do in it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from modelwright_runtime.session.git import GitError, git
from modelwright_runtime.session.names import MAX_FILE_BYTES, is_fit
from modelwright_runtime.session.orders import Orders
from modelwright_runtime.session.usage import is_asking

_REMOTE = "refs/remotes/origin"
# The platform's side of the branch as this side knows it. `origin/…` follows it, but never while somebody's own Git
# asks the platform: two that move it at the same time refuse each other, and theirs would fail.
_THEIRS = "refs/modelwright/branch"
_NOTHING = "0" * 40
MAX_LEFT_OUT = 100


@dataclass(frozen=True)
class Saved:
    """What was saved: the commit that holds the tree, and the files that are too large or have names that cannot be."""

    commit: str
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    mode: str
    object_id: str
    size: int


class Tree:
    """The tree in `orders.tree`. One thread uses it at a time."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._folder: Path = orders.tree
        # An index of our own, so that what people stage stays as they staged it.
        self._index = {"GIT_INDEX_FILE": str(orders.private / "saved-index")}
        self._state: tuple[str, str] | None = None
        self._left_out: tuple[str, ...] = ()
        # The files of one commit; and of large ones the content that each had when it was last looked at.
        self._files: tuple[str, dict[str, _Entry]] = ("", {})
        self._digests: dict[str, tuple[tuple[int, int], str]] = {}

    def prepare(self) -> None:
        """Fetch the project and put the tree as it was saved, or as the branch has it. Raises GitError."""
        orders = self._orders
        self._folder.mkdir(parents=True, exist_ok=True)
        git(self._folder, "init", "--quiet", f"--initial-branch={orders.branch}")
        # Lab's own copies of notebooks are nobody's work.
        (self._folder / ".git" / "info").mkdir(exist_ok=True)
        (self._folder / ".git" / "info" / "exclude").write_text(".ipynb_checkpoints/\n")
        git(self._folder, "config", "user.name", orders.name)
        git(self._folder, "config", "user.email", orders.email)
        git(self._folder, "remote", "add", "origin", orders.git_url)
        wanted = f"+{orders.saved_ref}*:refs/modelwright/saved*"
        git(self._folder, "fetch", "--quiet", "origin", f"+refs/heads/*:{_REMOTE}/*", wanted, tries=3)
        git(self._folder, "config", f"branch.{orders.branch}.remote", "origin")
        git(self._folder, "config", f"branch.{orders.branch}.merge", f"refs/heads/{orders.branch}")
        git(self._folder, "update-ref", f"refs/heads/{orders.branch}", f"{_REMOTE}/{orders.branch}")
        git(self._folder, "update-ref", _THEIRS, f"{_REMOTE}/{orders.branch}")
        git(self._folder, "reset", "--quiet", "--hard")
        if self._commit("refs/modelwright/saved"):
            git(self._folder, "read-tree", "--reset", "-u", "refs/modelwright/saved")
            git(self._folder, "reset", "--quiet", "--mixed")

    def save(self) -> Saved | None:
        """Save the tree where it differs from what was saved last; None where it does not. Raises GitError."""
        head = self._commit("HEAD")
        left_out = self._gather(head)
        tree = git(self._folder, "write-tree", extra=self._index).decode().strip()
        if (head, tree) == self._state and left_out == self._left_out:
            return None
        parents = ["-p", head] if head else []
        message = f"Saved in session {self._orders.number}"
        commit = git(self._folder, "commit-tree", tree, *parents, "-m", message).decode().strip()
        git(self._folder, "push", "--quiet", "origin", f"+{commit}:{self._orders.saved_ref}", tries=3)
        self._state, self._left_out = (head, tree), left_out
        return Saved(commit, left_out)

    def push_branch(self) -> None:
        """Push what was committed here to the session's branch. One that lost commits stays where it is."""
        branch = self._orders.branch
        ours, theirs, _ = self._stands()
        if ours and ours != theirs and (not theirs or self._is_ancestor(theirs, ours)):
            # By its address: by its name Git would move `origin/…` as well, whoever else is about to.
            git(self._folder, "push", "--quiet", self._orders.git_url, f"{ours}:refs/heads/{branch}", tries=2)
            git(self._folder, "update-ref", _THEIRS, ours)
            self._show()

    def follow(self, commit: str) -> None:
        """Take over what was committed on the session's page: the branch goes on, the files stay as they are."""
        ours, theirs, _ = self._stands()
        if commit and commit not in (ours, theirs):
            self._take_over(commit, ours)
        self._show()

    def _show(self) -> None:
        """Have `git status` know what the platform has; a later time where somebody's Git is just asking for that."""
        _, theirs, shown = self._stands()
        is_behind = theirs not in ("", shown) and (not shown or self._is_ancestor(shown, theirs))
        if is_behind and not is_asking(self._folder):
            git(self._folder, "update-ref", f"{_REMOTE}/{self._orders.branch}", theirs, shown or _NOTHING)

    def _take_over(self, commit: str, ours: str) -> None:
        branch = self._orders.branch
        git(self._folder, "fetch", "--quiet", self._orders.git_url, f"+refs/heads/{branch}:{_THEIRS}")
        on_it = git(self._folder, "symbolic-ref", "--quiet", "HEAD").decode().strip() == f"refs/heads/{branch}"
        if on_it and self._commit(commit) and self._is_ancestor(ours, commit):
            git(self._folder, "update-ref", f"refs/heads/{branch}", commit, ours)
            git(self._folder, "reset", "--quiet", "--mixed")

    def _stands(self) -> tuple[str, str, str]:
        """Where the branch is here, at the platform as far as we know, and as `origin/…`; empty for nowhere."""
        names = (f"refs/heads/{self._orders.branch}", _THEIRS, f"{_REMOTE}/{self._orders.branch}")
        listed = git(self._folder, "for-each-ref", "--format=%(refname) %(objectname)", *names).decode()
        found = dict(line.split(" ", 1) for line in listed.splitlines())
        ours, theirs, shown = (found.get(name, "") for name in names)
        return ours, theirs, shown

    def _commit(self, name: str) -> str:
        try:
            return git(self._folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").decode().strip()
        except GitError:
            return ""

    def _is_ancestor(self, first: str, second: str) -> bool:
        try:
            git(self._folder, "merge-base", "--is-ancestor", first, second)
        except GitError:
            return False
        return True

    def _gather(self, head: str) -> tuple[str, ...]:
        """Put every file that can be kept into our index; return those that cannot."""
        if not Path(self._index["GIT_INDEX_FILE"]).exists() and head:
            git(self._folder, "read-tree", head, extra=self._index)
        known = self._names(extra=self._index)
        others = self._names("--others", "--exclude-standard", extra=self._index)
        kept: list[str] = []
        dropped: list[str] = []
        unfit: list[str] = []
        for name in sorted({*known, *others, *self._names()}):
            fault = self._fault(name)
            (kept if fault is None else unfit if fault else dropped).append(name)
        # What somebody committed stays in what is saved as they committed it, however large it is.
        committed = self._committed(head) if unfit and head else {}
        stays = {name: committed[name] for name in unfit if name in committed}
        dropped += [name for name in unfit if name not in stays]
        self._update(["--add", "--replace", "-z", "--stdin"], kept)
        self._update(["--force-remove", "-z", "--stdin"], [name for name in dropped if name in set(known)])
        self._update(["-z", "--index-info"], [f"{one.mode} {one.object_id}\t{name}" for name, one in stays.items()])
        left_out = [name for name in unfit if name not in stays or self._is_changed(name, stays[name])]
        return tuple(left_out[:MAX_LEFT_OUT])

    def _committed(self, head: str) -> dict[str, _Entry]:
        """The files of the commit."""
        if self._files[0] != head:
            found = {}
            for line in git(self._folder, "ls-tree", "-r", "-z", "-l", "--full-tree", head).split(b"\0")[:-1]:
                facts, _, name = line.partition(b"\t")
                mode, kind, object_id, size = facts.decode().split()
                if kind == "blob":
                    found[os.fsdecode(name)] = _Entry(mode, object_id, int(size))
            self._files = (head, found)
        return self._files[1]

    def _is_changed(self, name: str, entry: _Entry) -> bool:
        """Whether the file has another content than the commit; it is read once for each time that it was written."""
        try:
            facts = (self._folder / name).stat()
        except OSError:
            return True
        if facts.st_size != entry.size:
            return True
        stamp = (facts.st_ino, facts.st_mtime_ns)
        if self._digests.get(name, ((0, 0), ""))[0] != stamp:
            self._digests[name] = (stamp, git(self._folder, "hash-object", "--", name).decode().strip())
        return self._digests[name][1] != entry.object_id

    def _update(self, how: list[str], names: list[str]) -> None:
        if names:
            text = "".join(f"{name}\0" for name in names).encode(errors="surrogateescape")
            git(self._folder, "update-index", *how, stdin=text, extra=self._index)

    def _names(self, *options: str, extra: dict[str, str] | None = None) -> list[str]:
        listed = git(self._folder, "ls-files", "-z", *(options or ("--cached",)), extra=extra)
        return [os.fsdecode(name) for name in listed.split(b"\0") if name and not name.endswith(b"/")]

    def _fault(self, name: str) -> str | None:
        """None for what can be kept; empty for what is gone or no file; else why it is left out."""
        try:
            facts = (self._folder / name).lstat()
        except OSError:
            return ""
        if not (stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
            return ""
        if facts.st_size > MAX_FILE_BYTES:
            return "It is too large."
        return None if is_fit(name) else "It has a name that the platform does not take."
