"""A small pack that unfolds to something huge is refused, and nobody's memory or disk is filled by looking at it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from modelwright.accounts.actors import Actor
from modelwright.accounts.services import create_token
from modelwright.core.errors import ValidationFailed
from projects import source
from projects.source import bounds
from projects.source.bounds import files_of
from projects.source.git import MAX_OUTPUT_BYTES, run
from projects.source.incoming import MAX_OTHER_BYTES, references
from projects.source.reading import repository_path
from tests.projects.conftest import Cast

pytestmark = pytest.mark.django_db(transaction=True)
NOTHING = "0" * 40
WHO = {
    f"GIT_{role}_{part}": f"ann{end}"
    for role in ("AUTHOR", "COMMITTER")
    for part, end in (("NAME", ""), ("EMAIL", "@example.org"))
}


class Bomb:
    """A repository of somebody hostile, made of Git's own pieces."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--bare")

    def git(self, *arguments: str, given: bytes = b"") -> bytes:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **WHO}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, input=given, env=environment, capture_output=True, check=True
        )
        return done.stdout

    def blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", given=data).decode().strip()

    def tree(self, *lines: str) -> str:
        return self.git("mktree", given="\n".join(lines).encode() + b"\n").decode().strip()

    def commit(self, tree: str) -> str:
        return self.git("commit-tree", "-m", "x", tree).decode().strip()

    def pack(self, *commits: str) -> bytes:
        return self.git("pack-objects", "--stdout", "--revs", "--quiet", given="\n".join(commits).encode() + b"\n")

    def wide(self, count: int, size: int) -> str:
        """Many names for one content."""
        blob = self.blob(bytes(size))
        return self.commit(self.tree(*(f"100644 blob {blob}\tf{number}" for number in range(count))))

    def deep(self, levels: int, width: int) -> str:
        """Folders of the same folders."""
        tree = self.tree(*(f"100644 blob {self.blob(b'x')}\tf{number}" for number in range(width)))
        for _ in range(levels):
            tree = self.tree(*(f"040000 tree {tree}\td{number}" for number in range(width)))
        return self.commit(tree)


@pytest.fixture
def bomb(tmp_path: Path) -> Bomb:
    return Bomb(tmp_path / "bomb")


def pushed(cast: Cast, client: Client, tip: str, pack: bytes) -> str:
    """What a push of the pack as a branch of its own is answered."""
    line = f"{NOTHING} {tip} refs/heads/x\0report-status\n".encode()
    token = create_token(name="git", acting_user=Actor.person(cast.contributor))[1]
    answer = client.post(
        "/git/lab/churn.git/git-receive-pack",
        b"%04x%b0000%b" % (len(line) + 4, line, pack),
        content_type="application/x-git-receive-pack-request",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200, answer.content[:500]
    return bytes(answer.content).decode()


def refused(cast: Cast, client: Client, tip: str, pack: bytes) -> str:
    said = pushed(cast, client, tip, pack)
    assert "ng refs/heads/x" in said, said
    assert set(references(cast.project)) == {"refs/heads/main"}
    with pytest.raises(Exception, match="has no commit"):
        source.check_commit(cast.project, tip)
    return said


def test_an_ordinary_push_of_that_kind_is_taken(cast: Cast, client: Client, bomb: Bomb) -> None:
    tip = bomb.wide(20, 1000)
    assert "ok refs/heads/x" in pushed(cast, client, tip, bomb.pack(tip))
    assert len(source.list_files(cast.project, tip)) == 20


def test_one_content_under_many_names_is_counted_each_time(cast: Cast, client: Client, bomb: Bomb) -> None:
    tip = bomb.wide(2200, 2 * 1024**2)
    pack = bomb.pack(tip)
    assert len(pack) < 200_000
    assert "more than 100,000 files, or more than 4 GiB" in refused(cast, client, tip, pack)


def test_folders_of_folders_are_refused_as_soon_as_they_are_too_many(cast: Cast, client: Client, bomb: Bomb) -> None:
    """Ten thousand million files, in a pack of some hundred bytes."""
    tip = bomb.deep(9, 10)
    pack = bomb.pack(tip)
    assert len(pack) < 10_000
    assert "more than 100,000 files" in refused(cast, client, tip, pack)


def test_what_is_there_already_is_neither_listed_nor_packed_without_end(cast: Cast, bomb: Bomb) -> None:
    """One that came before there was a bound, or below the newest commit."""
    tip = bomb.deep(9, 10)
    repository = repository_path(cast.project)
    bomb.git("push", "--quiet", str(repository), f"{tip}:refs/heads/old")
    tracemalloc.start()
    for look in (
        lambda: source.archive(cast.project, tip),
        lambda: source.list_files(cast.project, tip),
        lambda: list(files_of(repository, tip)),
    ):
        with pytest.raises(ValidationFailed):
            look()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MAX_OUTPUT_BYTES


def test_what_git_prints_is_bounded_and_what_it_is_given_is_not_lost(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = repository_path(cast.project)
    given = os.urandom(3 * 1024**2)
    name = hashlib.sha1(b"blob %d\0%b" % (len(given), given), usedforsecurity=False).hexdigest()
    assert run(repository, ["hash-object", "-w", "--stdin"], stdin=given).decode().strip() == name
    assert run(repository, ["cat-file", "blob", name]) == given
    # One that reads nothing of what it is given does not make us wait.
    assert run(repository, ["version"], stdin=bytes(10 * 1024**2)).startswith(b"git version")
    monkeypatch.setattr("projects.source.git.MAX_OUTPUT_BYTES", 1024**2)
    with pytest.raises(ValidationFailed, match="more than 1 MiB"):
        run(repository, ["cat-file", "blob", name])


def test_what_no_branch_names_is_looked_at_too(cast: Cast, client: Client, bomb: Bomb, settings: Any) -> None:
    """By its id a run could ask for it all the same."""
    settings.GIT_FILE_BYTES = 1024**2
    good, hidden = bomb.wide(1, 10), bomb.wide(1, 2 * 1024**2)
    assert "that no branch names" in refused(cast, client, good, bomb.pack(good, hidden))


def test_a_commit_or_folder_of_many_mebibytes_is_refused(cast: Cast, client: Client, bomb: Bomb) -> None:
    tree = bomb.tree(f"100644 blob {bomb.blob(b'x')}\tf")
    text = bomb.git("cat-file", "commit", bomb.commit(tree)) + b"x" * MAX_OTHER_BYTES
    tip = bomb.git("hash-object", "-w", "-t", "commit", "--stdin", given=text).decode().strip()
    assert "a commit of" in refused(cast, client, tip, bomb.pack(tip))


def test_an_object_that_says_that_it_is_huge_gets_no_memory(cast: Cast, client: Client, bomb: Bomb) -> None:
    """Git makes room for as many bytes as the pack says that follow."""
    size, head = 64 * 1024**3, bytearray()
    byte, rest = (1 << 4) | (size & 15), size >> 4
    while rest:
        head.append(byte | 128)
        byte, rest = rest & 127, rest >> 7
    head.append(byte)
    body = b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes(head) + zlib.compress(bytes(1000))
    pack = body + hashlib.sha1(body, usedforsecurity=False).digest()
    said = pushed(cast, client, "1" * 40, pack)
    assert "ng refs/heads/x" in said
    assert "emory" in said, said


def test_the_bound_is_that_of_a_project(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    head = str(source.head(cast.project))
    files = list(files_of(repository_path(cast.project), head))
    assert [file.path for file in files] == source.list_files(cast.project, head)
    assert all(file.size == source.read_file(cast.project, head, file.path).size for file in files)
    monkeypatch.setattr(bounds, "MAX_FILES", len(files) - 1)
    with pytest.raises(ValidationFailed):
        source.archive(cast.project, head)
