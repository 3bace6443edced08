"""A project's repository: reading by commit, writing whole commits, and every way to get out of it."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import Conflict, NotFound, Unavailable, ValidationFailed
from modelwright.core.ids import new_id
from projects import source
from projects.models import Project
from projects.source import Author, git

ANN = Author("Ann", "ann@example.org")


@pytest.fixture
def project() -> Project:
    """A project with an empty repository; no row is needed."""
    project = Project(id=new_id(), name="p")
    source.init_repository(project)
    return project


def put(project: Project, changes: dict[str, bytes | None], expected: str | None = None, message: str = "m") -> str:
    """Commit on top of the newest commit, or of `expected`."""
    head = expected if expected is not None else source.head(project)
    return source.commit_files(project, changes, message=message, author=ANN, expected_head=head)


def test_what_is_committed_is_read_back(project: Project) -> None:
    assert source.head(project) is None
    assert source.history(project) == []
    first = put(project, {"a.py": b"print(1)\n", "sub/b.bin": b"\x00\xff", "sub/c.txt": "päth ünd".encode()})
    assert source.head(project) == first
    assert [(e.name, e.kind, e.size) for e in source.list_tree(project, first)] == [
        ("sub", "folder", None),
        ("a.py", "file", 9),
    ]
    assert [e.path for e in source.list_tree(project, first, "sub/")] == ["sub/b.bin", "sub/c.txt"]
    assert source.read_file(project, first, "a.py").text == "print(1)\n"
    assert source.read_file(project, first, "sub/b.bin").text is None
    assert source.read_file(project, first, "sub/c.txt").text == "päth ünd"
    assert source.list_files(project, first) == ["a.py", "sub/b.bin", "sub/c.txt"]


def test_older_commits_stay_as_they_were(project: Project) -> None:
    first = put(project, {"a": b"1", "b": b"1"}, message="one")
    second = put(project, {"a": b"2", "b": None}, message="two\n\nbecause")
    assert source.read_file(project, first, "a").data == b"1"
    assert source.read_file(project, second, "a").data == b"2"
    with pytest.raises(NotFound):
        source.read_file(project, second, "b")
    newest, oldest = source.history(project)
    assert (newest.sha, newest.subject, newest.message, newest.parents) == (second, "two", "two\n\nbecause", (first,))
    assert (oldest.sha, oldest.author) == (first, ANN)
    assert [c.sha for c in source.history(project, limit=1, start=first)] == [first]


def test_history_of_one_path(project: Project) -> None:
    put(project, {"a": b"1"})
    put(project, {"b": b"1"})
    last = put(project, {"sub/c": b"1"})
    assert len(source.history(project, "a")) == 1
    assert [c.sha for c in source.history(project, "sub")] == [last]


def test_a_diff_names_files_and_lines(project: Project) -> None:
    first = put(project, {"a": b"1\n2\n", "old": b"x\n", "bin": b"\x00"})
    second = put(project, {"a": b"1\n3\n", "old": None, "bin": b"\x00\x01", "ein name.txt": b"n\n"})
    found = source.diff(project, second)
    assert {f.path: (f.added, f.removed) for f in found.files} == {
        "a": (1, 1),
        "old": (0, 1),
        "bin": (None, None),
        "ein name.txt": (1, 0),
    }
    assert "-2\n+3" in found.patch
    assert not found.is_truncated
    assert {f.path for f in source.diff(project, first).files} == {"a", "old", "bin"}


def test_large_files_are_cut_off_when_read(project: Project) -> None:
    commit = put(project, {"big.txt": "ä".encode() * 100_000})
    content = source.read_file(project, commit, "big.txt", max_bytes=1001)
    assert content.size == 200_000
    assert content.is_truncated
    assert content.text == "ä" * 500


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/./b",
        "a//b",
        "a/",
        ".git/config",
        "sub/.GIT/hooks/post-update",
        ".git",
        "git~1/config",
        ".git ",
        ".git.",
        ".ｇit/x",
        ".g\u200cit/config",
        "a\\..\\b",
        "C:x",
        ":(glob)*",
        "a\nb",
        "a\x00b",
        "a\x1bb",
        "a\u202eb",
        "\ud800",
        "x" * 121,
        "/".join(["a"] * 21),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(project: Project, path: str) -> None:
    commit = put(project, {"a": b"1"})
    with pytest.raises(ValidationFailed):
        put(project, {path: b"x"})
    with pytest.raises(ValidationFailed):
        source.read_file(project, commit, path)
    assert source.head(project) == commit


@pytest.mark.parametrize("path", ["-rf", "--help", "a b.txt", "ä/ö.py", ".gitignore", "$(id)", "'; rm x", "*"])
def test_odd_but_harmless_paths_work(project: Project, path: str) -> None:
    commit = put(project, {path: b"x", "other": b"y"})
    assert source.read_file(project, commit, path).data == b"x"
    assert len(source.history(project, path)) == 1
    second = put(project, {"other": b"z"})
    assert [c.sha for c in source.history(project, path)] == [commit]
    assert source.head(project) == second


@pytest.mark.parametrize("commit", ["main", "HEAD~1", "--all", "0" * 40, "abc", "HEAD:a", "\n", "^{/x}", "a" * 41])
def test_commits_are_named_by_their_full_id_only(project: Project, commit: str) -> None:
    put(project, {"a": b"1"})
    for read in (source.list_files, source.list_tree, source.diff):
        with pytest.raises(NotFound):
            read(project, commit)
    with pytest.raises(NotFound):
        source.history(project, start=commit)


def test_the_id_of_a_file_is_no_commit(project: Project) -> None:
    commit = put(project, {"a": b"1"})
    digest = source.read_file(project, commit, "a").digest
    with pytest.raises(NotFound):
        source.list_files(project, digest)


def test_a_folder_is_no_file_and_a_file_no_folder(project: Project) -> None:
    commit = put(project, {"sub/a": b"1"})
    with pytest.raises(NotFound):
        source.read_file(project, commit, "sub")
    with pytest.raises(NotFound):
        source.list_tree(project, commit, "sub/a")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "nothing to commit"),
        ({"gone": None}, "no file gone"),
        ({"a/b": b"x"}, "file and a folder"),
        ({"a": b"1"}, "leave every file"),
        ({"x": b"1", "x/y": b"1"}, "file and a folder"),
        ({"big": b"x" * (source.MAX_FILE_BYTES + 1)}, "at most"),
    ],
)
def test_commits_that_make_no_sense_are_refused(project: Project, changes: Any, word: str) -> None:
    commit = put(project, {"a": b"1"})
    with pytest.raises(ValidationFailed, match=word):
        put(project, changes)
    assert source.head(project) == commit


def test_a_file_may_become_a_folder_in_one_commit(project: Project) -> None:
    put(project, {"a": b"1"})
    commit = put(project, {"a": None, "a/b": b"2"})
    assert source.list_files(project, commit) == ["a/b"]


@pytest.mark.parametrize("message", ["", "  \n", "x" * 5001, "a\x00b", "a\x1b[31mb", "\ud800"])
def test_messages_that_cannot_be_read_are_refused(project: Project, message: str) -> None:
    with pytest.raises(ValidationFailed) as failed:
        put(project, {"a": b"1"}, message=message)
    assert failed.value.errors[0].field == "message"


def test_whoever_read_an_older_commit_is_refused(project: Project) -> None:
    first = put(project, {"a": b"1"})
    second = put(project, {"a": b"2"})
    with pytest.raises(Conflict):
        put(project, {"b": b"1"}, expected=first)
    assert source.head(project) == second


def test_of_many_at_once_one_wins(project: Project) -> None:
    first = put(project, {"a": b"1"})

    def attempt(number: int) -> str | None:
        try:
            return put(project, {f"f{number}": b"x"}, expected=first)
        except Conflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        won = [sha for sha in pool.map(attempt, range(8)) if sha]
    assert won == [source.head(project)]
    assert len(source.history(project)) == 2


def test_a_write_that_lost_the_race_at_the_last_moment_moves_nothing(project: Project) -> None:
    first = put(project, {"a": b"1"})
    late = source.write_commit(project, {"b": b"1"}, message="late", author=ANN, expected_head=first)
    second = put(project, {"c": b"1"}, expected=first)
    with pytest.raises(Conflict):
        source.move_head(project, late, first)
    assert source.head(project) == second


def test_a_lock_that_an_interrupted_write_left_is_cleared_away(project: Project) -> None:
    first = put(project, {"a": b"1"})
    lock = source.repository_path(project) / "refs" / "heads" / "main.lock"
    lock.touch()
    with pytest.raises(Unavailable):
        put(project, {"a": b"2"})
    assert source.head(project) == first
    os.utime(lock, (0, 0))
    second = put(project, {"a": b"2"})
    assert source.head(project) == second
    assert not lock.exists()


def test_neither_hooks_nor_a_persons_configuration_are_used(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    home = tmp_path / "home"
    hooks = home / "hooks"
    hooks.mkdir(parents=True)
    places = [hooks, source.repository_path(project) / "hooks"]
    places[1].mkdir(exist_ok=True)
    for place in places:
        for name in ("reference-transaction", "post-update", "pre-commit", "post-commit"):
            (place / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
            (place / name).chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = touch {ran}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {ran}")
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    commit = put(project, {"a": b"1", ".gitattributes": b"* diff=x filter=x\n"})
    source.diff(project, commit)
    assert not ran.exists()


def test_a_link_is_never_followed(project: Project) -> None:
    put(project, {"a": b"1"})
    repository = source.repository_path(project)
    git = ["git", "--git-dir", str(repository)]
    who = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x"}

    def run(*arguments: str, text: str = "") -> str:
        done = subprocess.run(
            [*git, *arguments], input=text, capture_output=True, text=True, check=True, env={**os.environ, **who}
        )
        return done.stdout.strip()

    blob = run("hash-object", "-w", "--stdin", text="/etc/passwd")
    tree = run("mktree", text=f"120000 blob {blob}\tlink\n")
    commit = run("commit-tree", tree, "-m", "link")
    assert source.list_tree(project, commit)[0].kind == "link"
    assert source.read_file(project, commit, "link").data == b"/etc/passwd"


def test_a_git_that_was_killed_has_said_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(project, {"a": b"1"})
    killed = tmp_path / "git"
    killed.write_text("#!/bin/sh\nkill -KILL $$\n")
    killed.chmod(0o755)
    monkeypatch.setitem(git._ENVIRONMENT, "PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="ended by signal 9"):
        source.head(project)
