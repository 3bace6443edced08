"""An ordinary `git` clones, pulls and pushes over HTTP; what a project does not take leaves no trace."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.services import create_token
from modelwright.audit.models import AuditEvent
from projects import source
from projects.services import commit as commit_files
from projects.source import MAX_FILE_BYTES
from projects.source.incoming import references
from projects.source.reading import repository_path
from tests.jobs.servers import Mlflow, web_running
from tests.projects.conftest import Cast

pytestmark = pytest.mark.django_db(transaction=True)
Git = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs `git` in a folder, as a person's own would, without anything that this machine configures."""

    def call(folder: Path, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        who = {
            f"GIT_{role}_{part}": f"ann{end}"
            for role in ("AUTHOR", "COMMITTER")
            for part, end in (("NAME", ""), ("EMAIL", "@example.org"))
        }
        variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_TERMINAL_PROMPT": "0", **who}
        done = subprocess.run(
            ["git", "-c", "protocol.version=2", *arguments],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not ok or done.returncode == 0, done.stderr
        return done

    return call


def password(user: User, scope: str = "full") -> str:
    return create_token(name=f"git-{scope}", scope=scope, acting_user=Actor.person(user))[1]


def address(server: LiveServer, user: User, scope: str = "full", project: str = "churn") -> str:
    return server.url.replace("://", f"://{user.username}:{password(user, scope)}@") + f"/git/lab/{project}.git"


@pytest.fixture
def clone(cast: Cast, live_server: LiveServer, git: Git, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", address(live_server, cast.contributor), "mine")
    return tmp_path / "mine"


def test_a_clone_has_the_projects_files_and_a_push_is_its_newest_commit(cast: Cast, git: Git, clone: Path) -> None:
    assert (clone / "modelwright.yaml").exists()
    assert git(clone, "rev-parse", "HEAD").stdout.strip() == source.head(cast.project)
    (clone / "notes.md").write_text("Seen.\n")
    (clone / "link").symlink_to("notes.md")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "Notes")
    git(clone, "push", "--quiet", "origin", "main")
    new = git(clone, "rev-parse", "HEAD").stdout.strip()
    assert source.head(cast.project) == new
    assert source.read_file(cast.project, new, "notes.md").data == b"Seen.\n"
    event = AuditEvent.objects.get(action="project.pushed")
    assert (event.actor_name, event.actor_role) == ("contributor", "project contributor")
    assert event.after == {"refs/heads/main": new}
    # It is a commit like any other: the page's next one stands on top of it, and is pulled.
    made = commit_files(
        cast.project, {"a.txt": b"a"}, message="A", expected_head=new, acting_user=Actor.person(cast.owner)
    )
    git(clone, "pull", "--quiet")
    assert git(clone, "rev-parse", "HEAD").stdout.strip() == made


def test_branches_and_tags_come_and_go_and_main_stays(cast: Cast, git: Git, clone: Path) -> None:
    git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/try/one", "HEAD:refs/tags/v1")
    assert set(references(cast.project)) == {"refs/heads/main", "refs/heads/try/one", "refs/tags/v1"}
    git(clone, "push", "--quiet", "origin", ":try/one")
    for refused, why in ((":main", "cannot be deleted"), (":refs/tags/v1", "Tags cannot be deleted")):
        done = git(clone, "push", "origin", refused, ok=False)
        assert done.returncode != 0
        assert why in done.stderr
    assert set(references(cast.project)) == {"refs/heads/main", "refs/tags/v1"}


@pytest.fixture
def web(data_directory: Path, tmp_path: Path) -> Iterator[str]:
    """The web process of a real platform, without tracking."""
    away = Mlflow(os.environ["MLFLOW_DATABASE_URL"], tmp_path / "away.sock", tmp_path)
    with web_running(tmp_path, away, {"MODELWRIGHT_DATA_DIR": str(data_directory)}) as url:
        yield url


def test_a_large_push_arrives_in_pieces_and_whole(cast: Cast, web: str, git: Git, tmp_path: Path) -> None:
    address = web.replace("://", f"://contributor:{password(cast.contributor)}@") + "/git/lab/churn.git"
    git(tmp_path, "clone", "--quiet", address, "mine")
    for number in range(12):
        (tmp_path / f"mine/noise{number}.bin").write_bytes(os.urandom(300_000))
    git(tmp_path / "mine", "add", "--all")
    git(tmp_path / "mine", "commit", "--quiet", "--message", "Noise")
    git(tmp_path / "mine", "push", "--quiet", "origin", "main")
    git(tmp_path, "clone", "--quiet", address, "again")
    assert (tmp_path / "again/noise11.bin").read_bytes() == (tmp_path / "mine/noise11.bin").read_bytes()


def test_history_that_runs_may_name_is_not_lost(cast: Cast, git: Git, clone: Path) -> None:
    before = source.head(cast.project)
    git(clone, "commit", "--quiet", "--amend", "--message", "Rewritten")
    done = git(clone, "push", "--force", "origin", "main", ok=False)
    assert "would lose commits" in done.stderr
    assert source.head(cast.project) == before
    assert not AuditEvent.objects.filter(action="project.pushed").exists()


def test_who_was_slower_is_told_to_fetch(cast: Cast, git: Git, clone: Path) -> None:
    commit_files(
        cast.project,
        {"a.txt": b"a"},
        message="A",
        expected_head=source.head(cast.project),
        acting_user=Actor.person(cast.owner),
    )
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "Mine")
    done = git(clone, "push", "origin", "main", ok=False)
    assert done.returncode != 0
    assert "fetch first" in done.stderr.lower()


@pytest.mark.parametrize(
    ("name", "size", "why"),
    [("data.csv", MAX_FILE_BYTES + 1, "Keep data out of Git"), ("odd\u202ename.py", 1, "cannot be seen")],
)
def test_a_refused_push_leaves_no_trace(
    cast: Cast, git: Git, clone: Path, settings: Any, name: str, size: int, why: str
) -> None:
    settings.GIT_FILE_BYTES = MAX_FILE_BYTES
    (clone / name).write_bytes(b"x" * size)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "Wrong")
    done = git(clone, "push", "origin", "main", "HEAD:refs/heads/other", ok=False)
    assert why in done.stderr
    refused = git(clone, "rev-parse", "HEAD").stdout.strip()
    assert set(references(cast.project)) == {"refs/heads/main"}
    # Not even by its id can a run ask for it.
    with pytest.raises(Exception, match="has no commit"):
        source.check_commit(cast.project, refused)
    assert not list((repository_path(cast.project) / "objects").glob("incoming-*"))


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor"])
def test_who_may_only_look_clones_and_cannot_push(
    cast: Cast, live_server: LiveServer, git: Git, tmp_path: Path, role: str
) -> None:
    git(tmp_path, "clone", "--quiet", address(live_server, cast.person(role)), "mine")
    git(tmp_path / "mine", "commit", "--quiet", "--allow-empty", "--message", "Mine")
    done = git(tmp_path / "mine", "push", "origin", "main", ok=False)
    assert done.returncode != 0
    assert "does not include" in done.stderr


@pytest.mark.parametrize("role", ["stranger", "bystander"])
def test_others_do_not_learn_that_it_is_there(
    cast: Cast, live_server: LiveServer, git: Git, tmp_path: Path, role: str
) -> None:
    said = [
        git(tmp_path, "clone", address(live_server, cast.person(role), project=name), "mine", ok=False).stderr
        for name in ("churn", "nothing")
    ]
    assert all("There is no such project" in text for text in said)


def test_a_token_to_read_with_does_not_push(cast: Cast, live_server: LiveServer, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", address(live_server, cast.contributor, "read"), "mine")
    git(tmp_path / "mine", "commit", "--quiet", "--allow-empty", "--message", "Mine")
    assert "may only read" in git(tmp_path / "mine", "push", "origin", "main", ok=False).stderr


def test_without_a_live_token_nothing_is_told(cast: Cast, live_server: LiveServer, git: Git, tmp_path: Path) -> None:
    wrong = live_server.url.replace("://", "://ann:mwt_wrong@") + "/git/lab/churn.git"
    assert "Authentication failed" in git(tmp_path, "clone", wrong, "mine", ok=False).stderr
    # Git asks for a name and a password only where it is told to.
    assert "could not read Username" in git(tmp_path, "clone", f"{live_server.url}/git/lab/churn.git", ok=False).stderr


def test_what_the_platform_keeps_beside_branches_is_not_shown(cast: Cast, git: Git, clone: Path) -> None:
    head = source.head(cast.project)
    repository = repository_path(cast.project)
    subprocess.run(["git", "--git-dir", str(repository), "update-ref", "refs/saved/1", str(head)], check=True)
    listed = git(clone, "ls-remote", "origin").stdout
    assert "refs/heads/main" in listed
    assert "saved" not in listed


@pytest.mark.parametrize(
    "body",
    [
        b"00",
        b"zzzz",
        b"0003",
        b"0000" * 2,
        b"00ff" + b"x" * 10,
        b"0032" + b"0" * 40 + b" x y\n0000",
        b"\x1f\x8b",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_garbage_is_a_refusal_and_nothing_else(client: Client, cast: Cast, body: bytes, packed: bool) -> None:
    before = source.head(cast.project)

    answer = client.post(
        "/git/lab/churn.git/git-receive-pack",
        gzip.compress(body) if packed else body,
        content_type="application/x-git-receive-pack-request",
        headers={
            "Authorization": f"Bearer {password(cast.contributor)}",
            **({"Content-Encoding": "gzip"} if packed else {}),
        },
    )
    assert answer.status_code in (200, 422)
    assert b"ok refs" not in answer.content
    assert source.head(cast.project) == before
