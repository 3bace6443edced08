"""A repository elsewhere becomes a project's files, from a real Git server behind TLS."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from modelwright.accounts.actors import Actor
from modelwright.audit.models import AuditEvent
from modelwright.core import outside
from modelwright.core.errors import Conflict, ValidationFailed
from projects import source
from projects.importing import guarding, joining, running, services, transitions
from projects.importing.carrying_out import SILENT, Importer, carry_out
from projects.importing.explaining import explained
from projects.models import SecretRead, SourceImport
from projects.services import commit, remove_member
from projects.source import MAX_FILE_BYTES
from projects.source.git import GitRefused, run
from projects.source.incoming import references
from projects.source.reading import repository_path
from projects.source.refs import check_name
from projects.variables.services import set_variable
from tests.projects.conftest import Cast
from tests.projects.git_server import GitServer, certificate, start
from tests.projects.importing import Upstream, imported, upstream

PASSWORD = "s3cret-of-theirs"


@pytest.fixture
def server(tmp_path: Path, settings: Any) -> Iterator[GitServer]:
    """Behind TLS on this machine, which the administrator has allowed."""
    root = tmp_path / "elsewhere"
    root.mkdir()
    made = GitServer(root, certificate(tmp_path))
    settings.IMPORT_NETWORKS = outside._networks("127.0.0.0/8", "::1/128")
    settings.IMPORT_CA_FILE = str(made.certificate)
    serving = start(made)
    yield made
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def theirs(server: GitServer, tmp_path: Path) -> Upstream:
    made = upstream(server, tmp_path)
    made.commit({"train.py": b"print(1)\n", "docs/notes.md": b"Theirs.\n", "link": "train.py"})
    return made


def files(cast: Cast) -> list[str]:
    return source.list_files(cast.project, str(source.head(cast.project)))


def ours(cast: Cast, changes: dict[str, bytes | None]) -> str:
    head = source.head(cast.project)
    return commit(cast.project, changes, message="Ours", expected_head=head, acting_user=Actor.person(cast.owner))


def is_in_history(cast: Cast, sha: str) -> bool:
    head = str(source.head(cast.project))
    return sha in run(repository_path(cast.project), ["rev-list", head]).decode().split()


def test_the_files_and_the_history_become_the_projects(cast: Cast, theirs: Upstream) -> None:
    before = str(source.head(cast.project))
    tip = theirs.commit({"more.txt": b"more"})
    one = imported(cast, theirs.server.address())
    assert (one.state, one.problem, one.outcome, one.imported) == ("succeeded", "", "joined", tip)
    head = source.head(cast.project)
    assert one.commit == head
    assert files(cast) == ["docs/notes.md", "link", "more.txt", "train.py"]
    assert source.read_file(cast.project, head, "docs/notes.md").data == b"Theirs.\n"
    # Both histories are behind it, and nothing else is there.
    assert is_in_history(cast, before)
    assert is_in_history(cast, tip)
    assert set(references(cast.project)) == {"refs/heads/main"}
    event = AuditEvent.objects.get(action="project.imported")
    assert (event.actor_name, event.actor_role) == ("contributor", "project contributor")
    assert event.after == {
        "commit": head,
        "imported": tip,
        "address": theirs.server.address(),
        "outcome": "joined",
    }
    assert not list(repository_path(cast.project).parent.glob("importing-*"))
    assert not list((repository_path(cast.project) / "objects").glob("incoming-*"))


def test_importing_again_brings_what_is_new_and_says_where_nothing_is(cast: Cast, theirs: Upstream) -> None:
    address = theirs.server.address()
    imported(cast, address)
    again = imported(cast, address)
    assert (again.state, again.problem, again.outcome) == ("succeeded", "", "nothing-new")
    assert again.commit == source.head(cast.project)
    tip = theirs.commit({"train.py": b"print(2)\n", "docs/notes.md": None})
    third = imported(cast, address)
    assert (third.state, third.problem, third.outcome, third.imported) == ("succeeded", "", "joined", tip)
    assert source.read_file(cast.project, third.commit, "train.py").data == b"print(2)\n"
    assert files(cast) == ["link", "train.py"]
    assert AuditEvent.objects.filter(action="project.imported").count() == 2


def test_what_the_project_changed_itself_is_not_taken_away_unless_somebody_says_so(
    cast: Cast, theirs: Upstream
) -> None:
    address = theirs.server.address()
    first = imported(cast, address)
    assert (first.outcome, first.problem) == ("joined", "")
    mine = ours(cast, {"train.py": b"print('ours')\n", "ours.md": b"Ours.\n"})
    # Nothing is new there, so nothing stands against anything.
    again = imported(cast, address)
    assert (again.outcome, again.problem) == ("nothing-new", "")
    theirs.commit({"docs/notes.md": b"New.\n"})
    refused = imported(cast, address)
    assert (refused.state, refused.outcome) == ("failed", "")
    assert f"Since commit {first.imported[:12]}" in refused.problem
    assert "has changed ours.md, train.py itself" in refused.problem
    assert "git pull" in refused.problem
    assert source.head(cast.project) == mine
    replaced = imported(cast, address, replace=True)
    assert (replaced.outcome, replaced.problem) == ("joined", "")
    assert files(cast) == ["docs/notes.md", "link", "train.py"]
    assert is_in_history(cast, mine)
    assert source.read_file(cast.project, mine, "ours.md").data == b"Ours.\n"


def test_a_repository_that_has_the_projects_commits_moves_it_forward(cast: Cast, theirs: Upstream) -> None:
    before = source.head(cast.project)
    theirs.git("fetch", "--quiet", str(repository_path(cast.project)), "main")
    theirs.git("checkout", "--quiet", "-B", "main", "FETCH_HEAD")
    tip = theirs.commit({"more.txt": b"more"}, branch="on-top")
    one = imported(cast, theirs.server.address(), branch="on-top")
    assert (one.problem, one.outcome, one.commit) == ("", "forward", tip)
    assert source.head(cast.project) == tip
    assert AuditEvent.objects.get(action="project.imported").before == {"commit": before}


def test_strangers_histories_do_not_replace_what_people_did(cast: Cast, theirs: Upstream) -> None:
    mine = ours(cast, {"ours.md": b"Ours.\n"})
    one = imported(cast, theirs.server.address())
    assert one.state == "failed"
    assert "none in common" in one.problem
    assert source.head(cast.project) == mine


def test_histories_that_git_cannot_compare_are_not_taken_for_strangers(cast: Cast) -> None:
    # A fresh project takes the files of a repository with which it has nothing in common.
    with pytest.raises(GitRefused):
        joining.way_of(cast.project, source.head(cast.project), "1" * 40, replace=False, see={})


def test_a_private_repository_is_signed_in_to_with_a_secret_whose_reading_is_on_record(
    cast: Cast, theirs: Upstream
) -> None:
    theirs.server.credentials = f"ann:{PASSWORD}"
    owner = Actor.person(cast.owner)
    set_variable(cast.project, name="THEIR_TOKEN", value=PASSWORD, is_secret=True, acting_user=owner)
    one = imported(cast, theirs.server.address(), username="ann", secret="THEIR_TOKEN")
    assert (one.state, one.problem) == ("succeeded", "")
    read = SecretRead.objects.get()
    assert (read.person, read.names, read.workload_id) == ("contributor", ["THEIR_TOKEN"], None)
    assert (read.subject_kind, read.subject_id) == ("import", one.pk)
    said = repr([*AuditEvent.objects.values("before", "after", "reason"), *SourceImport.objects.values()])
    assert "THEIR_TOKEN" in said
    assert PASSWORD not in said


@pytest.mark.parametrize("secret", ["", "WRONG"])
def test_wrong_credentials_are_told_without_telling_them(cast: Cast, theirs: Upstream, secret: str) -> None:
    theirs.server.credentials = f"ann:{PASSWORD}"
    owner = Actor.person(cast.owner)
    set_variable(cast.project, name="WRONG", value="wrong-of-mine", is_secret=True, acting_user=owner)
    one = imported(cast, theirs.server.address(), username="ann" if secret else "", secret=secret)
    assert one.state == "failed"
    assert "password or token is wrong" in one.problem
    assert "Set the secret variable anew" in one.problem
    assert "wrong-of-mine" not in one.problem
    assert SecretRead.objects.count() == (1 if secret else 0)


def test_a_server_that_echoes_the_secret_does_not_get_it_onto_a_page() -> None:
    said = "fatal: remote error: you sent s3cret (YW5uOnMzY3JldA==)\x1b[2J"
    error = explained(said, hidden=("s3cret", "YW5uOnMzY3JldA=="))
    assert "s3cret" not in error.message
    assert "YW5u" not in error.message
    assert "\x1b" not in error.message


def test_no_redirect_is_followed(cast: Cast, theirs: Upstream) -> None:
    theirs.server.redirect = theirs.server.address("theirs").replace("localhost", "127.0.0.1") + "/info/refs"
    one = imported(cast, theirs.server.address("elsewhere"))
    assert "sends the platform on to another address" in one.problem
    assert all(path.startswith("/elsewhere.git") for path, _ in theirs.server.asked)


def test_git_connects_to_the_addresses_that_were_judged(
    cast: Cast, theirs: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No resolver knows this name; that Git reaches the server shows that it asked none after the judge.
    there = [ipaddress.ip_address("127.0.0.1")]
    monkeypatch.setattr(guarding, "look_up", lambda host, port: there)
    one = imported(cast, theirs.server.address(host="git.example.org"))
    assert (one.state, one.problem) == ("succeeded", "")


def test_a_name_that_leads_inside_is_not_asked(cast: Cast, theirs: Upstream, settings: Any) -> None:
    settings.IMPORT_NETWORKS = ()
    theirs.server.asked.clear()
    one = imported(cast, theirs.server.address())
    assert "localhost is an address inside the network" in one.problem
    assert theirs.server.asked == []


def test_one_bad_address_of_a_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [ipaddress.ip_address("93.184.215.14"), ipaddress.ip_address("169.254.169.254")]
    monkeypatch.setattr(guarding, "look_up", lambda host, port: both)
    with pytest.raises(outside.Refused, match="inside the network"):
        guarding.place_of("https://git.example.org/a.git")


@pytest.mark.parametrize(
    "address",
    [
        "http://git.example.org/a.git",
        "ssh://git@git.example.org/a.git",
        "git@git.example.org:a.git",
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "https::https://git.example.org/a",
        "--upload-pack=/bin/sh",
        "HTTPS://git.example.org/a.git",
        "https://ann:word@git.example.org/a.git",
        "https://git.example.org",
        "https://git.example.org/a.git?x=1",
        "https://git.example.org/a.git#",
        "https://git.example.org\\@10.0.0.1/a.git",
        "https://git.example.org:0/a.git",
        "https://git.example.org:99999/a.git",
        "https://git.example.org./a.git",
        "https://ex%61mple.org/a.git",
        "https://127.0.0.1/a.git",
        "https://127.1/a.git",
        "https://0x7f000001/a.git",
        "https://2130706433/a.git",
        "https://[::1]/a.git",
        "https://[::ffff:10.0.0.1]/a.git",
        "https://[fe80::1%25eth0]/a.git",
        "https://169.254.169.254/latest",
        "https://git.exämple.org/a.git",
        "https://git.example.org/a b.git",
        "https://git.example.org/a\n.git",
        "https://git.example.org/" + "a" * 1000,
    ],
)
def test_what_is_no_public_https_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        guarding.check_address(address)
    assert "MODELWRIGHT_IMPORT_NETWORKS" in caught.value.remedy


def test_a_request_names_the_field_that_is_wrong(cast: Cast) -> None:
    person = Actor.person(cast.contributor)
    right: dict[str, Any] = {"address": "https://git.example.org/a.git"}
    wrong = {"address": "file:///etc", "branch": "--upload-pack=x", "username": "ann:word", "secret": "NOTHING"}
    for name, value in wrong.items():
        with pytest.raises(ValidationFailed) as caught:
            services.request_import(cast.project, **{**right, name: value}, acting_user=person)
        assert [error.field for error in caught.value.errors] == [name]
    assert not SourceImport.objects.exists()


@pytest.mark.parametrize("branch", ["--upload-pack=x", "a..b", "a b", "+main:refs/heads/x", "x.lock", "-x"])
def test_what_is_no_branch_is_refused_at_once(branch: str) -> None:
    with pytest.raises(ValidationFailed, match="no name of a branch"):
        check_name(branch, field="branch")


@pytest.mark.parametrize(
    ("name", "branch", "why"),
    [("nothing", "", "no Git repository at that address"), ("theirs", "nothing", "no such branch")],
)
def test_what_is_not_there_is_told(cast: Cast, theirs: Upstream, name: str, branch: str, why: str) -> None:
    one = imported(cast, theirs.server.address(name), branch=branch)
    assert (one.state, why in one.problem) == ("failed", True), one.problem


def test_a_server_that_is_not_there_is_told(cast: Cast, server: GitServer) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        one = imported(cast, f"https://127.0.0.1:{nobody.getsockname()[1]}/a.git")
    assert "The server cannot be reached" in one.problem


def test_a_certificate_that_nobody_vouches_for_is_told(cast: Cast, theirs: Upstream, settings: Any) -> None:
    settings.IMPORT_CA_FILE = ""
    one = imported(cast, theirs.server.address())
    assert "certificate is not one that the platform trusts" in one.problem
    assert theirs.server.asked == []


def test_a_repository_that_is_too_large_is_refused(
    cast: Cast, theirs: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs.commit({f"noise{number}.bin": os.urandom(200_000) for number in range(5)})
    monkeypatch.setattr("projects.importing.fetching.MAX_PACK_BYTES", 500_000)
    before = source.head(cast.project)
    one = imported(cast, theirs.server.address())
    assert "The repository has more than" in one.problem
    assert source.head(cast.project) == before
    assert not list(repository_path(cast.project).parent.glob("importing-*"))


@pytest.mark.parametrize(
    ("name", "size", "why"),
    [("data.csv", MAX_FILE_BYTES + 1, "Keep data out of Git"), ("odd\u202ename.py", 1, "cannot be seen")],
)
def test_files_that_a_project_does_not_take_leave_no_trace(
    cast: Cast, theirs: Upstream, settings: Any, name: str, size: int, why: str
) -> None:
    settings.GIT_FILE_BYTES = MAX_FILE_BYTES
    tip = theirs.commit({name: b"x" * size})
    before = source.head(cast.project)
    one = imported(cast, theirs.server.address())
    assert why in one.problem
    assert source.head(cast.project) == before
    with pytest.raises(Exception, match="has no commit"):
        source.check_commit(cast.project, tip)


def test_submodules_links_and_large_files_elsewhere_are_named_and_harm_nobody(cast: Cast, theirs: Upstream) -> None:
    theirs.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendored/lib")
    theirs.git("commit", "--quiet", "--message", "A submodule")
    (theirs.folder / "vendored/lib").mkdir(parents=True)
    theirs.commit(
        {
            ".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n",
            ".gitmodules": b'[submodule "lib"]\n\tpath = vendored/lib\n\turl = https://git.example.org/lib.git\n',
            "outside": "../../../../etc/passwd",
            "big.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
        }
    )
    one = imported(cast, theirs.server.address())
    assert (one.state, one.problem) == ("succeeded", "")
    assert "Submodules are not fetched: vendored/lib." in one.notes
    assert "Git LFS" in one.notes
    kinds = {entry.name: entry.kind for entry in source.list_tree(cast.project, one.commit)}
    assert kinds["outside"] == "link"
    assert source.read_file(cast.project, one.commit, "outside").data == b"../../../../etc/passwd"


def test_who_may_not_edit_any_more_imports_nothing(cast: Cast, theirs: Upstream) -> None:
    one = services.request_import(
        cast.project, address=theirs.server.address(), acting_user=Actor.person(cast.contributor)
    )
    remove_member(cast.project, cast.contributor, acting_user=Actor.person(cast.owner))
    transitions.begin(one)
    carry_out(one)
    one.refresh_from_db()
    assert one.state == "failed"
    assert theirs.server.asked == []


def test_one_at_a_time_and_what_nobody_carries_out_any_more_is_given_up(cast: Cast, server: GitServer) -> None:
    person = Actor.person(cast.contributor)
    one = services.request_import(cast.project, address=server.address(), acting_user=person)
    with pytest.raises(Conflict, match="under way"):
        services.request_import(cast.project, address=server.address(), acting_user=person)
    assert transitions.begin(one)
    assert not transitions.begin(one)
    SourceImport.objects.update(seen_at=one.created_at - SILENT)
    transitions.give_up(one.created_at, "The process that imported it ended. Import again.")
    one.refresh_from_db()
    assert (one.state, one.problem) == ("failed", "The process that imported it ended. Import again.")


def test_imports_over_rest(cast: Cast, theirs: Upstream, api: Callable[..., Any]) -> None:
    client, viewer = api(cast.contributor), api(cast.viewer)
    imports = f"/api/v1/projects/{cast.project.pk}/imports/"
    wrong = client.post(imports, {"address": "file:///etc"}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "address")
    made = client.post(imports, {"address": theirs.server.address()}, content_type="application/json")
    assert made.status_code == 201
    one = f"/api/v1/imports/{made.json()['id']}/"
    assert (
        client.post(imports, {"address": theirs.server.address()}, content_type="application/json").status_code == 409
    )
    ended = client.post(f"{one}cancellation/", content_type="application/json").json()
    assert (ended["state"], ended["problem"]) == ("cancelled", "contributor cancelled it.")
    again = client.post(f"{one}cancellation/", content_type="application/json")
    assert (again.status_code, again.json()["detail"]) == (409, "The import is over.")
    imported(cast, theirs.server.address())
    newest, _ = viewer.get(imports).json()["results"]
    assert (newest["state"], newest["outcome"], newest["commit"]) == ("succeeded", "joined", source.head(cast.project))
    assert viewer.get(one).json()["id"] == made.json()["id"]
    refused = viewer.post(imports, {"address": theirs.server.address()}, content_type="application/json")
    assert refused.status_code == 403


def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come about within a minute")


@pytest.mark.django_db(transaction=True)
def test_the_watcher_carries_it_out_and_a_cancelled_one_ends_at_once(cast: Cast, theirs: Upstream) -> None:
    importer = Importer()
    person = Actor.person(cast.contributor)
    before = source.head(cast.project)
    theirs.server.pause = 30
    slow = services.request_import(cast.project, address=theirs.server.address(), acting_user=person)
    assert importer.tick() == 1
    until(lambda: any("upload-pack" in path for path, _ in theirs.server.asked))
    services.cancel(slow, acting_user=person)
    with pytest.raises(Conflict, match="is over"):
        services.cancel(slow, acting_user=person)
    until(lambda: not list(repository_path(cast.project).parent.glob("importing-*")))
    slow.refresh_from_db()
    assert (slow.state, slow.problem) == ("cancelled", "contributor cancelled it.")
    assert source.head(cast.project) == before
    theirs.server.pause = 0
    one = services.request_import(cast.project, address=theirs.server.address(), acting_user=person)
    until(lambda: importer.tick() == 1)
    until(lambda: SourceImport.objects.get(pk=one.pk).state == "succeeded")
    until(lambda: importer.tick() == 0 and not importer.is_busy)
    assert files(cast) == ["docs/notes.md", "link", "train.py"]
    connections.close_all()


def test_progress_is_what_git_says_itself() -> None:
    said = "remote: Receiving objects: 99% (1/1)\rReceiving objects:  45% (450/1000), 12.00 MiB | 3.00 MiB/s\r"
    assert running.progress_of(said) == "Receiving objects:  45% (450/1000), 12.00 MiB"
    assert running.progress_of("remote: Receiving objects: 99% (1/1)\r") == ""
