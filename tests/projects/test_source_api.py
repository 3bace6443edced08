"""Files and commits over REST."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from modelwright.audit.models import AuditEvent
from projects import source
from tests.projects.conftest import Cast

JSON = "application/json"


def _url(cast: Cast, rest: str) -> str:
    return f"/api/v1/projects/{cast.project.pk}/{rest}"


def _body(cast: Cast, changes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"message": "change", "changes": changes, "expected_head": source.head(cast.project)}


def test_committing_takes_a_contributor(api: Any, cast: Cast) -> None:
    head = source.head(cast.project)
    body = _body(cast, [{"path": "a.py", "content": "x"}])
    refused = {"stranger": 404, "bystander": 404, "viewer": 403, "operator": 403, "auditor": 403}
    for who, status in refused.items():
        assert api(cast.person(who)).post(_url(cast, "commits/"), body, content_type=JSON).status_code == status
    assert source.head(cast.project) == head
    assert not AuditEvent.objects.filter(action="project.committed").exists()
    made = api(cast.contributor).post(_url(cast, "commits/"), body, content_type=JSON)
    assert made.status_code == 201
    assert made.json()["sha"] == source.head(cast.project)
    assert made.json()["author"] == "contributor"
    event = AuditEvent.objects.get(action="project.committed")
    assert event.actor_role == "project contributor"
    assert event.after is not None
    assert event.after["paths"] == ["a.py"]


def test_writing_reading_and_deleting_files(api: Any, cast: Cast) -> None:
    client = api(cast.contributor)
    binary = base64.b64encode(b"\x00\xff").decode()
    changes: list[dict[str, Any]] = [
        {"path": "notes/a.txt", "content": " kept as it is \n"},
        {"path": "b.bin", "content_base64": binary},
        {"path": "README.md", "delete": True},
    ]
    made = client.post(_url(cast, "commits/"), _body(cast, changes), content_type=JSON)
    assert made.status_code == 201
    text = client.get(_url(cast, "files/?path=notes/a.txt")).json()
    assert (text["content"], text["encoding"]) == (" kept as it is \n", "utf-8")
    assert client.get(_url(cast, "files/?path=b.bin")).json()["content"] == binary
    assert client.get(_url(cast, "files/?path=README.md")).status_code == 404
    older = made.json()["parents"][0]
    assert client.get(_url(cast, f"files/?path=README.md&commit={older}")).status_code == 200
    detail = client.get(_url(cast, f"commits/{made.json()['sha']}/")).json()
    assert {f["path"] for f in detail["files"]} == {"notes/a.txt", "b.bin", "README.md"}
    assert "+ kept as it is" in detail["patch"]


def test_somebody_who_was_slower_is_told(api: Any, cast: Cast) -> None:
    client = api(cast.contributor)
    body = _body(cast, [{"path": "a", "content": "1"}])
    assert client.post(_url(cast, "commits/"), body, content_type=JSON).status_code == 201
    late = client.post(_url(cast, "commits/"), {**body, "message": "late"}, content_type=JSON)
    assert late.status_code == 409
    assert late.json()["errors"][0]["field"] == "expected_head"
    assert AuditEvent.objects.filter(action="project.committed").count() == 1


def test_a_repeated_commit_is_made_once(api: Any, cast: Cast) -> None:
    client, headers = api(cast.contributor), {"Idempotency-Key": "c1"}
    body = _body(cast, [{"path": "a", "content": "1"}])
    first = client.post(_url(cast, "commits/"), body, content_type=JSON, headers=headers)
    again = client.post(_url(cast, "commits/"), body, content_type=JSON, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(source.history(cast.project)) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"path": "../x", "content": ""}, "path"),
        ({"path": ".git/config", "content": ""}, "path"),
        ({"path": "a"}, "changes"),
        ({"path": "a", "content": "", "delete": True}, "changes"),
        ({"path": "a", "content_base64": "%%"}, "changes"),
        ({"content": "x"}, "changes"),
        ({"path": "nowhere", "delete": True}, "changes"),
    ],
)
def test_wrong_changes_are_refused(api: Any, cast: Cast, change: dict[str, Any], field: str) -> None:
    response = api(cast.contributor).post(_url(cast, "commits/"), _body(cast, [change]), content_type=JSON)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].startswith(field)


@pytest.mark.parametrize("more", [{"expected_head": "main"}, {"message": ""}, {"changes": []}, {"changes": "x"}])
def test_wrong_bodies_are_refused(api: Any, cast: Cast, more: dict[str, Any]) -> None:
    body = {**_body(cast, [{"path": "a", "content": "1"}]), **more}
    assert api(cast.contributor).post(_url(cast, "commits/"), body, content_type=JSON).status_code == 422


def test_one_path_twice_is_refused(api: Any, cast: Cast) -> None:
    changes = [{"path": "a", "content": "1"}, {"path": "a", "content": "2"}]
    response = api(cast.contributor).post(_url(cast, "commits/"), _body(cast, changes), content_type=JSON)
    assert response.status_code == 422


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", ".git/HEAD", "a%00b", "a%0Ab"])
@pytest.mark.parametrize("what", ["files", "tree", "commits"])
def test_reading_elsewhere_is_refused(api: Any, cast: Cast, what: str, path: str) -> None:
    response = api(cast.viewer).get(_url(cast, f"{what}/?path={path}"))
    assert response.status_code in (404, 422)
    assert response["Content-Type"] == "application/problem+json"


def test_commits_are_paged_from_the_newest_back(api: Any, cast: Cast) -> None:
    client = api(cast.contributor)
    for number in range(4):
        client.post(_url(cast, "commits/"), _body(cast, [{"path": "n", "content": str(number)}]), content_type=JSON)
    expected = [commit.sha for commit in source.history(cast.project)]
    url, seen = _url(cast, "commits/?limit=2"), []
    while url:
        page = client.get(url).json()
        seen += [commit["sha"] for commit in page["results"]]
        url = page["next"]
    assert seen == expected
    assert client.get(_url(cast, "commits/?limit=0")).status_code == 422
    assert client.get(_url(cast, "commits/?start=zzz")).status_code == 404


def test_a_wrong_manifest_is_told_entry_by_entry(api: Any, cast: Cast) -> None:
    client = api(cast.contributor)
    text = "name: x\nsteps:\n- name: a\n  script: gone.py\n"
    body = _body(cast, [{"path": "modelwright.yaml", "content": text}])
    assert client.post(_url(cast, "commits/"), body, content_type=JSON).status_code == 201
    answer = client.get(_url(cast, "manifest/"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "steps[0].script"
    first = source.history(cast.project)[-1].sha
    assert client.get(_url(cast, f"manifest/?commit={first}")).status_code == 200
