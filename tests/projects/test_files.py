"""Files at any branch or commit, as an archive, under other names, as they were, compared and uploaded."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from modelwright.accounts.actors import Actor
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, NotFound
from projects import services, source
from projects.files.answers import picture_type
from projects.files.services import restore
from projects.source.git import run
from tests.projects.conftest import Cast

JSON = "application/json"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def _page(cast: Cast, rest: str) -> str:
    return f"/projects/{cast.project.pk}/{rest}"


def _rest(cast: Cast, rest: str) -> str:
    return f"/api/v1/projects/{cast.project.pk}/{rest}"


def _text(response: Any) -> str:
    return str(response.content.decode())


def _head(cast: Cast) -> str:
    return source.check_commit(cast.project, None)


def _put(cast: Cast, changes: dict[str, bytes | None]) -> str:
    return services.commit(
        cast.project, changes, message="m", expected_head=_head(cast), acting_user=Actor.person(cast.owner)
    )


def _name(cast: Cast, reference: str, commit: str) -> None:
    run(source.repository_path(cast.project), ["update-ref", reference, commit])


def _make_program(cast: Cast, path: str) -> None:
    """Commit that the file may be run."""
    head, repository = _head(cast), source.repository_path(cast.project)
    blob = source.stored_file(cast.project, head, path).object_id
    tree = run(repository, ["mktree", "-z"], stdin=f"100755 blob {blob}\t{path}\0".encode()).decode().strip()
    made = run(repository, ["commit-tree", tree, "-p", head], stdin=b"m", extra_environment=_WHO).decode().strip()
    _name(cast, "refs/heads/main", made)


_WHO = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def test_files_of_a_branch_and_a_tag_are_seen(browser_client: Any, api: Any, cast: Cast) -> None:
    first = _head(cast)
    second = _put(cast, {"only-here.txt": b"x"})
    _name(cast, "refs/heads/side/one", first)
    _name(cast, "refs/tags/v1", second)
    client = browser_client(cast.viewer)
    assert "only-here.txt" not in _text(client.get(_page(cast, "files/?commit=side/one")))
    assert "only-here.txt" in _text(client.get(_page(cast, "files/?commit=v1")))
    assert '<option value="side/one" selected>' in _text(client.get(_page(cast, "files/?commit=side/one")))
    listed = api(cast.viewer).get(_rest(cast, "references/")).json()
    assert {one["name"]: one["commit"] for one in listed["branches"]} == {"main": second, "side/one": first}
    assert {one["name"]: one["commit"] for one in listed["tags"]} == {"v1": second}
    assert api(cast.viewer).get(_rest(cast, "tree/?commit=side/one")).json()["commit"] == first


@pytest.mark.parametrize(
    "name", ["nope", "main^", "main~1", "-h", "--all", "@", "HEAD", "refs/heads/main", "../main", "main:x", "a b", "é"]
)
def test_only_names_of_branches_and_tags_are_names(cast: Cast, name: str) -> None:
    with pytest.raises(NotFound):
        source.resolve(cast.project, name)


def test_an_archive_has_the_files_and_leads_nowhere(browser_client: Any, api: Any, cast: Cast) -> None:
    files: dict[str, bytes | None] = {"src/a.py": b"x = 1\n", "ünï.txt": b"\xff\x00", "<b>&.html": b"<script>"}
    commit = _put(cast, files)
    link = run(source.repository_path(cast.project), ["hash-object", "-w", "--stdin"], stdin=b"/etc/passwd")
    tree = run(source.repository_path(cast.project), ["ls-tree", "-z", commit])
    more = run(
        source.repository_path(cast.project), ["mktree", "-z"], stdin=tree + b"120000 blob " + link.strip() + b"\tout\0"
    )
    made = (
        run(
            source.repository_path(cast.project),
            ["commit-tree", more.decode().strip(), "-p", commit],
            stdin=b"m",
            extra_environment=_WHO,
        )
        .decode()
        .strip()
    )
    asked = [
        browser_client(cast.viewer).get(_page(cast, f"files/archive/?commit={made}")),
        api(cast.viewer).get(_rest(cast, f"archive/?commit={made}")),
    ]
    for answer in asked:
        assert answer["Content-Type"] == "application/zip"
        assert answer["Content-Disposition"] == f'attachment; filename="churn-{made[:12]}.zip"'
        archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
        assert {name: archive.read(name) for name in files} == files
        assert archive.read("out") == b"/etc/passwd"
        assert archive.getinfo("out").external_attr >> 16 == 0o100644
    assert browser_client(cast.stranger).get(_page(cast, "files/archive/")).status_code == 404


def test_only_pictures_that_can_do_nothing_keep_their_type(browser_client: Any, cast: Cast) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    _put(cast, {"a.png": PNG, "page.png": b"<html><script>", "b.svg": svg, 'q";x=".html': b"<script>"})
    client = browser_client(cast.viewer)
    shown = client.get(_page(cast, "files/download/?path=a.png"))
    assert shown["Content-Type"] == "image/png"
    for path in ("page.png", "b.svg", 'q";x=".html'):
        answer = client.get(_page(cast, "files/download/"), query_params={"path": path})
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith('attachment; filename="')
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]
    assert "The picture a.png" in _text(client.get(_page(cast, "files/?path=a.png")))
    assert "<img" not in _text(client.get(_page(cast, "files/?path=b.svg")))
    assert picture_type(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"


def test_a_renamed_file_stays_what_it_is(browser_client: Any, cast: Cast) -> None:
    _put(cast, {"only": b"#!/bin/sh\n", "taken": b"x"})
    _make_program(cast, "only")
    client, head = browser_client(cast.contributor), _head(cast)
    asked = _text(client.get(_page(cast, "files/rename/?path=only")))
    assert "Older commits keep the old one" in asked
    body = {"new_path": "bin/only", "message": "Move", "expected_head": head}
    assert client.post(_page(cast, "files/rename/?path=only"), body).status_code == 302
    assert source.stored_file(cast.project, _head(cast), "bin/only").mode == "100755"
    assert source.list_files(cast.project, _head(cast)) == ["bin/only"]
    event = AuditEvent.objects.latest("id")
    assert event.after is not None
    assert event.after["renamed"] == ["only", "bin/only"]
    late = client.post(_page(cast, "files/rename/?path=bin/only"), {**body, "new_path": "y"})
    assert late.status_code == 409
    assert _head(cast) in _text(late)
    assert client.post(_page(cast, "files/rename/?path=bin/only"), {**body, "new_path": "../y"}).status_code == 422
    assert browser_client(cast.viewer).post(_page(cast, "files/rename/?path=bin/only"), body).status_code == 403
    _put(cast, {"bin/only": b"#!/bin/sh\ntrue\n"})
    assert source.stored_file(cast.project, _head(cast), "bin/only").mode == "100755"


def test_a_name_that_is_taken_is_refused(api: Any, cast: Cast) -> None:
    body = {"path": "train.py", "new_path": "README.md", "message": "m", "expected_head": _head(cast)}
    refused = api(cast.contributor).post(_rest(cast, "renames/"), body, content_type=JSON)
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["field"] == "new_path"
    made = api(cast.contributor).post(_rest(cast, "renames/"), {**body, "new_path": "src/t.py"}, content_type=JSON)
    assert made.status_code == 201
    assert made.json()["sha"] == _head(cast)


def test_an_old_version_comes_back_as_a_new_commit(browser_client: Any, api: Any, cast: Cast) -> None:
    old = _put(cast, {"a.txt": b"one\n"})
    changed = _put(cast, {"a.txt": b"two\n", "b.txt": b"new\n"})
    client = browser_client(cast.contributor)
    asked = _text(client.get(_page(cast, f"files/restore/?path=a.txt&commit={old}")))
    assert "-two" in asked
    assert "+one" in asked
    body = {"message": "Back", "expected_head": changed}
    assert client.post(_page(cast, f"files/restore/?path=a.txt&commit={old}"), body).status_code == 302
    restored = _head(cast)
    assert source.read_file(cast.project, restored, "a.txt").data == b"one\n"
    assert source.read_file(cast.project, restored, "b.txt").data == b"new\n"
    whole = {"commit": old, "message": "All of it", "expected_head": restored}
    made = api(cast.contributor).post(_rest(cast, "restorations/"), whole, content_type=JSON)
    assert made.status_code == 201
    assert source.list_tree(cast.project, _head(cast)) == source.list_tree(cast.project, old)
    assert [one.sha for one in source.history(cast.project)][:4] == [_head(cast), restored, changed, old]
    again = api(cast.contributor).post(
        _rest(cast, "restorations/"), {**whole, "expected_head": _head(cast)}, content_type=JSON
    )
    assert again.status_code == 422
    assert api(cast.viewer).post(_rest(cast, "restorations/"), whole, content_type=JSON).status_code == 403
    with pytest.raises(Conflict):
        restore(cast.project, changed, "", message="m", expected_head=old, acting_user=Actor.person(cast.owner))


def test_a_file_does_not_come_back_over_a_folder(cast: Cast) -> None:
    old = _put(cast, {"a": b"file"})
    head = _put(cast, {"a": None, "a/b": b"folder"})
    with pytest.raises(Exception, match="file and a folder"):
        restore(cast.project, old, "a", message="m", expected_head=head, acting_user=Actor.person(cast.owner))
    assert _head(cast) == head


def test_two_versions_are_compared(browser_client: Any, api: Any, cast: Cast) -> None:
    first = _head(cast)
    second = _put(cast, {"a.txt": b"<b>one</b>\n", "c/d.bin": b"\0\1"})
    _name(cast, "refs/tags/v0", first)
    body = api(cast.viewer).get(_rest(cast, "comparison/?base=v0&target=main")).json()
    assert (body["base"]["sha"], body["target"]["sha"]) == (first, second)
    assert body["files"] == [
        {"path": "a.txt", "added": 1, "removed": 0}, {"path": "c/d.bin", "added": None, "removed": None},
    ]  # fmt: skip
    page = _text(browser_client(cast.viewer).get(_page(cast, f"compare/?base={first}&path=a.txt")))
    assert "+&lt;b&gt;one" in page
    assert "d.bin" not in page
    assert "No difference" in _text(browser_client(cast.viewer).get(_page(cast, "compare/?base=main")))
    assert api(cast.viewer).get(_rest(cast, "comparison/?base=nope")).status_code == 404
    assert api(cast.viewer).get(_rest(cast, "comparison/?base=v0&path=../x")).status_code == 422


def test_files_are_uploaded_together_and_replace_nothing_unasked(browser_client: Any, cast: Cast) -> None:
    client = browser_client(cast.contributor)

    def send(path: str, names: list[str], **more: str) -> Any:
        files = [SimpleUploadedFile(name, f"of {name}".encode()) for name in names]
        body = {"message": "Upload", "expected_head": _head(cast), "uploads": files, **more}
        return client.post(_page(cast, f"files/upload/?path={path}"), body)

    assert send("data", ["a.csv", "b.csv"]).status_code == 302
    assert source.read_file(cast.project, _head(cast), "data/b.csv").data == b"of b.csv"
    taken = send("data", ["a.csv"])
    assert taken.status_code == 409
    assert "There is a file data/a.csv already." in _text(taken)
    assert send("data", ["a.csv", "c.csv"], replace="on").status_code == 302
    assert send("", [".git"]).status_code == 422
    assert send("../..", ["x"]).status_code == 422
    assert send("data", ["x", "x"]).status_code == 422
    empty = client.post(_page(cast, "files/upload/"), {"message": "m", "expected_head": _head(cast)})
    assert empty.status_code == 422
    large = SimpleUploadedFile("large", b"x" * (source.MAX_FILE_BYTES + 1))
    body = {"message": "m", "expected_head": _head(cast), "uploads": [large]}
    refused = client.post(_page(cast, "files/upload/"), body)
    assert refused.status_code == 422
    assert "a file that is written here has at most" in _text(refused)
    assert browser_client(cast.viewer).post(_page(cast, "files/upload/"), body).status_code == 403


def test_changes_of_two_people_are_put_together(browser_client: Any, cast: Cast) -> None:
    lines = [f"line {number}\n" for number in range(12)]
    seen = _put(cast, {"a.txt": "".join(lines).encode(), "b.txt": b"x\n"})
    client, address = browser_client(cast.contributor), _page(cast, "files/edit/?path=a.txt")
    mine = "".join(["mine\n", *lines[1:]])
    body = {"content": mine, "message": "m", "expected_head": seen}
    _put(cast, {"b.txt": b"y\n"})
    assert "Nobody changed this file meanwhile" in _text(client.post(address, body))
    _put(cast, {"a.txt": "".join([*lines[:-1], "theirs\n"]).encode()})
    merged = client.post(address, body)
    assert merged.status_code == 409
    assert "has both your changes and those that somebody committed" in _text(merged)
    assert "+theirs" in _text(merged)
    shown = merged.context["form"]["content"].value()
    assert shown == "".join(["mine\n", *lines[1:-1], "theirs\n"])
    sent = {**body, "content": shown, "expected_head": merged.context["form"]["expected_head"].value()}
    assert client.post(address, sent).status_code == 302
    _put(cast, {"a.txt": "".join(["others\n", *lines[1:]]).encode()})
    both = client.post(address, body)
    assert "Somebody changed the same lines" in _text(both)
    assert both.context["form"]["content"].value() == mine
