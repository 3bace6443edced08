"""The tree of a session beside what a person does in it: a real repository behind a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelwright_runtime.session.orders import Orders
from modelwright_runtime.session.tree import Tree
from modelwright_runtime.session.usage import is_asking

from tests.projects.git_server import GitServer, Hold, certificate, start

SECONDS = 120
BRANCH = "session/1"


class Platform:
    """The project's repository, as a session reaches it, and somebody who commits on the session's page."""

    def __init__(self, server: GitServer, folder: Path) -> None:
        self.server, self._work = server, folder / "page"
        self._work.mkdir()
        bare = server.root / "session-git" / "one.git"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        git(self._work, "init", "--quiet", f"--initial-branch={BRANCH}")
        git(self._work, "remote", "add", "origin", str(bare))

    def commit(self) -> str:
        """Commit something to the session's branch; the commit."""
        git(self._work, "commit", "--quiet", "--allow-empty", "--message", "On the page")
        git(self._work, "push", "--quiet", "origin", BRANCH)
        return git(self._work, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    root = tmp_path / "repositories"
    root.mkdir()
    server = GitServer(root, certificate(tmp_path))
    monkeypatch.setenv("GIT_SSL_CAINFO", str(server.certificate))
    serving = start(server)
    yield Platform(server, tmp_path)
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def orders(platform: Platform, tmp_path: Path) -> Orders:
    (tmp_path / "private").mkdir()
    return Orders(
        session_id="one",
        number=1,
        branch=BRANCH,
        name="Ann",
        email="ann@example.org",
        url=f"https://localhost:{platform.server.port}",
        token="none",
        socket=tmp_path / "socket",
        tree=tmp_path / "tree",
        private=tmp_path / "private",
        records_commands=False,
    )


def status(orders: Orders) -> str:
    return git(orders.tree, "status", "--short", "--branch")


def test_git_knows_without_a_fetch_what_was_committed_on_the_page(platform: Platform, orders: Orders) -> None:
    platform.commit()
    tree = Tree(orders)
    tree.prepare()
    for _ in range(2):
        tree.follow(made := platform.commit())
        assert git(orders.tree, "rev-parse", "HEAD") == made
        assert status(orders) == f"## {BRANCH}...origin/{BRANCH}"


def test_a_fetch_of_a_person_is_not_crossed(platform: Platform, orders: Orders) -> None:
    first = platform.commit()
    tree = Tree(orders)
    tree.prepare()
    made = platform.commit()
    hold = platform.server.hold = Hold()
    with subprocess.Popen(["git", "fetch", "origin"], cwd=orders.tree, stderr=subprocess.PIPE, text=True) as theirs:
        assert hold.asked.wait(SECONDS)
        platform.server.hold = None
        assert is_asking(orders.tree)
        assert not is_asking(orders.private)
        tree.follow(made)
        assert git(orders.tree, "rev-parse", "HEAD") == made
        assert git(orders.tree, "rev-parse", f"origin/{BRANCH}") == first
        hold.may_go.set()
        _, said = theirs.communicate(timeout=SECONDS)
    assert theirs.returncode == 0, said
    tree.follow(made)
    assert status(orders) == f"## {BRANCH}...origin/{BRANCH}"
