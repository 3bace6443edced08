"""Pages of projects: who sees them, what they refuse, and that nothing of a user's is rendered as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.accounts.actors import Actor
from projects import services, source
from projects.models import Project, ProjectMembership, Variable
from tests.projects.conftest import Cast

PAGES = ["", "files/", "files/?path=train.py", "history/", "history/?path=train.py", "members/", "variables/"]


def _url(cast: Cast, rest: str = "") -> str:
    return f"/projects/{cast.project.pk}/{rest}"


def _text(response: Any) -> str:
    return str(response.content.decode())


def _head(cast: Cast) -> str:
    head = source.head(cast.project)
    assert head
    return head


def _commit(cast: Cast, changes: dict[str, bytes | None], message: str = "m") -> str:
    return services.commit(
        cast.project, changes, message=message, expected_head=_head(cast), acting_user=Actor.person(cast.owner)
    )


def test_pages_are_for_members_and_auditors(browser_client: Any, cast: Cast) -> None:
    pages = [*PAGES, f"commits/{_head(cast)}/"]
    for who, status in {"stranger": 404, "bystander": 404, "viewer": 200, "auditor": 200, "boss": 200}.items():
        client = browser_client(cast.person(who))
        for page in pages:
            response = client.get(_url(cast, page))
            assert response.status_code == status, (who, page)
            assert ("churn" in _text(response)) == (status == 200)


@pytest.mark.parametrize(
    ("rest", "data", "least"),
    [
        ("edit/", {"description": "x"}, "owner"),
        ("members/", {"username": "bystander", "role": "viewer"}, "owner"),
        ("members/viewer/remove/", {}, "owner"),
        ("variables/", {"name": "A", "value": "b"}, "contributor"),
        ("variables/KEY/delete/", {}, "contributor"),
        ("files/edit/?path=train.py", {"content": "x", "message": "m"}, "contributor"),
        ("files/delete/?path=train.py", {"message": "m"}, "contributor"),
    ],
)
def test_writes_take_the_role(browser_client: Any, cast: Cast, rest: str, data: dict[str, str], least: str) -> None:
    browser_client(cast.owner).post(_url(cast, "variables/"), {"name": "KEY", "value": "v"})
    head = _head(cast)
    data = {**data, "expected_head": head}
    refused = {"stranger": 404, "bystander": 404, "viewer": 403, "operator": 403, "auditor": 403}
    if least == "owner":
        refused["contributor"] = 403
    for who, status in refused.items():
        assert browser_client(cast.person(who)).post(_url(cast, rest), data).status_code == status, who
    assert _head(cast) == head
    assert ProjectMembership.objects.count() == 4
    assert Variable.objects.count() == 1
    assert browser_client(cast.person(least)).post(_url(cast, rest), data).status_code == 302


def test_a_project_is_made_from_the_gallery(browser_client: Any, cast: Cast) -> None:
    new = f"/workspaces/{cast.workspace.pk}/projects/new/"
    assert browser_client(cast.stranger).get(new).status_code == 404
    assert browser_client(cast.auditor).get(new).status_code == 403
    client = browser_client(cast.bystander)
    gallery = _text(client.get(new))
    assert "?prototype=churn" in gallery
    assert "One company, one quarter" in gallery
    assert "7,043 customers" in _text(client.get(f"{new}?prototype=churn"))
    assert client.get(f"{new}?prototype=nothing").status_code == 404
    taken = client.post(f"{new}?prototype=churn", {"name": "churn"})
    assert taken.status_code == 409
    assert "already" in _text(taken)
    made = client.post(f"{new}?prototype=churn", {"name": "leavers"}, follow=True)
    assert "The project leavers is made." in _text(made)
    assert "ingest.py" in _text(made)
    client.post(f"{new}?prototype=blank", {"name": "empty"})
    assert Project.objects.get(name="empty").prototype == ""


def test_the_workspace_lists_only_projects_that_one_may_see(browser_client: Any, cast: Cast) -> None:
    url = f"/workspaces/{cast.workspace.pk}/"
    assert f"/projects/{cast.project.pk}/" in _text(browser_client(cast.viewer).get(url))
    assert f"/projects/{cast.project.pk}/" not in _text(browser_client(cast.bystander).get(url))


def test_nothing_in_a_repository_is_rendered_as_what_it_is(browser_client: Any, cast: Cast) -> None:
    evil = b"<script>alert(1)</script>"
    message = "<img src=x onerror=alert(1)>"
    sha = _commit(cast, {"x.html": evil, "README.md": evil, "<b>.txt": b"x", "modelwright.yaml": evil}, message)
    client = browser_client(cast.viewer)
    for page in ["", "files/", "files/?path=x.html", "history/", f"commits/{sha}/", "files/?path=%3Cb%3E.txt"]:
        response = client.get(_url(cast, page))
        assert response.status_code == 200
        assert "<script>alert" not in _text(response)
        assert "<img src=x" not in _text(response)
        assert "<b>.txt" not in _text(response)
    saved = client.get(_url(cast, "files/download/?path=x.html"))
    assert saved.content == evil
    assert saved["Content-Type"] == "application/octet-stream"
    assert saved["Content-Disposition"].startswith("attachment")
    assert saved["X-Content-Type-Options"] == "nosniff"


def test_what_of_a_readme_is_left_out_or_not_laid_out_is_said(browser_client: Any, cast: Cast) -> None:
    _commit(cast, {"README.md": b"# Short\n"})
    client = browser_client(cast.viewer)
    assert "Only the beginning" not in _text(client.get(_url(cast)))
    _commit(cast, {"README.md": b"[" * 150_000})
    page = _text(client.get(_url(cast)))
    assert "Only the beginning is shown; the file has 146.5" in page
    assert "The text is shown as it was written" in page


def test_a_wrong_manifest_is_explained_on_the_overview(browser_client: Any, cast: Cast) -> None:
    _commit(cast, {"modelwright.yaml": b"name: x\nsteps:\n- name: a\n  script: gone.py\n"})
    shown = _text(browser_client(cast.contributor).get(_url(cast)))
    assert "There is no file gone.py in the commit." in shown
    assert "Correct modelwright.yaml" in shown
    _commit(cast, {"modelwright.yaml": None})
    assert "declares no steps" in _text(browser_client(cast.viewer).get(_url(cast)))


def test_a_file_is_edited_made_and_deleted(browser_client: Any, cast: Cast) -> None:
    client, head = browser_client(cast.contributor), _head(cast)
    form = _text(client.get(_url(cast, "files/edit/?path=README.md")))
    assert "# Iris" in form
    assert head in form
    sent = {"content": "# New\r\ntext\r\n", "message": "Shorter", "expected_head": head}
    done = client.post(_url(cast, "files/edit/?path=README.md"), sent, follow=True)
    assert "README.md is committed as" in _text(done)
    assert source.read_file(cast.project, _head(cast), "README.md").data == b"# New\ntext\n"
    late = client.post(_url(cast, "files/edit/?path=README.md"), {**sent, "content": "mine"})
    assert late.status_code == 409
    assert "Somebody committed" in _text(late)
    assert "mine" in _text(late)
    assert _head(cast) in _text(late)
    new = {"path": "src/new.py", "content": "x = 1\n", "message": "New", "expected_head": _head(cast)}
    wrong = client.post(_url(cast, "files/edit/"), {**new, "path": "../x"})
    assert wrong.status_code == 422
    assert "Give a path inside the project" in _text(wrong)
    assert client.post(_url(cast, "files/edit/"), new).status_code == 302
    assert "x = 1" in _text(client.get(_url(cast, "files/?path=src/new.py")))
    gone = {"message": "Away", "expected_head": _head(cast)}
    assert "Older commits keep it" in _text(client.get(_url(cast, "files/delete/?path=src/new.py")))
    assert client.post(_url(cast, "files/delete/?path=src/new.py"), gone).status_code == 302
    assert client.get(_url(cast, "files/?path=src/new.py")).status_code == 404
    older = source.history(cast.project)[1].sha
    assert "These are the files as they were" in _text(client.get(_url(cast, f"files/?path=src/new.py&commit={older}")))


def test_binary_and_long_files_are_not_edited(browser_client: Any, cast: Cast) -> None:
    _commit(cast, {"b.bin": b"\x00\xff", "long.txt": b"x" * 400_000, "empty": b""})
    client = browser_client(cast.contributor)
    assert "This file is no text" in _text(client.get(_url(cast, "files/?path=b.bin")))
    assert client.get(_url(cast, "files/edit/?path=b.bin")).status_code == 422
    assert "Only the beginning" in _text(client.get(_url(cast, "files/?path=long.txt")))
    assert "The file is empty" in _text(client.get(_url(cast, "files/?path=empty")))


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".git/config", "a%00b", "nowhere", "a%0Ab", "%2e%2e/x"])
@pytest.mark.parametrize("page", ["files/", "files/download/", "files/edit/", "files/delete/"])
def test_paths_that_lead_elsewhere_are_refused(browser_client: Any, cast: Cast, page: str, path: str) -> None:
    response = browser_client(cast.owner).get(_url(cast, f"{page}?path={path}"))
    assert response.status_code in (404, 422)


def test_the_history_turns_pages(browser_client: Any, cast: Cast) -> None:
    for number in range(52):
        _commit(cast, {"n": str(number).encode()}, f"number {number}.")
    client = browser_client(cast.viewer)
    first = client.get(_url(cast, "history/"))
    assert "number 51." in _text(first)
    assert "number 0." not in _text(first)
    start = source.history(cast.project, limit=60)[50].sha
    assert f"start={start}" in _text(first)
    second = _text(client.get(_url(cast, f"history/?start={start}")))
    assert "number 0." in second
    assert "Newest" in second


def test_members_are_chosen_from_the_workspace(browser_client: Any, cast: Cast) -> None:
    client = browser_client(cast.owner)
    shown = _text(client.get(_url(cast, "members/?username=bystander")))
    assert '<option value="bystander" selected>' in shown
    assert '<option value="stranger"' not in shown
    assert client.post(_url(cast, "members/"), {"username": "stranger", "role": "viewer"}).status_code == 422
    added = client.post(_url(cast, "members/"), {"username": "bystander", "role": "viewer"}, follow=True)
    assert "bystander is viewer of churn now." in _text(added)
    assert "Remove bystander" in _text(client.get(_url(cast, "members/bystander/remove/")))
    assert client.post(_url(cast, "members/bystander/remove/")).status_code == 302
    left = client.post(_url(cast, "members/owner/remove/"), follow=True)
    assert left.status_code == 200


def test_secrets_are_not_on_the_page(browser_client: Any, cast: Cast) -> None:
    client = browser_client(cast.contributor)
    client.post(_url(cast, "variables/"), {"name": "KEY", "value": "hunter2", "is_secret": "on"})
    client.post(_url(cast, "variables/"), {"name": "REGION", "value": "north"})
    shown = _text(client.get(_url(cast, "variables/?name=KEY")))
    assert "hunter2" not in shown
    assert "north" in shown
    refused = client.post(_url(cast, "variables/"), {"name": "PATH", "value": "x"})
    assert refused.status_code == 422
    assert "set by the platform" in _text(refused)
    assert "Delete the variable KEY" in _text(client.get(_url(cast, "variables/KEY/delete/")))
    assert client.get(_url(cast, "variables/NONE/delete/")).status_code == 404
