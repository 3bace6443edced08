"""Pushes start jobs: in the project's own repository, and told by a webhook that somebody hostile may post to."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Push, PushStart, Run
from jobs.pushes import own, receiving, starting
from jobs.pushes.services import change_push_start, create_push_start, make_secret
from jobs.pushes.signatures import read_push
from jobs.services import change_job, create_job
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.audit.services import Target, record
from modelwright.core.crypto import decrypt
from projects import source
from projects.models import Project
from projects.services import commit

SYSTEM = Actor.system("tests")
JSON = "application/json"
SHA = "1234567890abcdef1234567890abcdef12345678"
pytestmark = pytest.mark.usefixtures("platform_python")


@pytest.fixture
def person(admin: User) -> Actor:
    return Actor.person(admin)


def made(project: Project, actor: Actor, via: str = "github", **changes: Any) -> tuple[PushStart, str]:
    if not project.jobs.filter(name="nightly").exists():
        create_job(project, name="nightly", script="train.py", acting_user=actor)
    changes = {"name": f"from-{via}", "branch": "main", **changes}
    return create_push_start(project, via=via, job="nightly", acting_user=actor, **changes)


def told(branch: str = "main", after: str = SHA, **more: Any) -> bytes:
    return json.dumps({"ref": f"refs/heads/{branch}", "before": "0" * 40, "after": after, **more}).encode()


def signed(via: str, secret: str, body: bytes, at: float | None = None) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if via == "github":
        return {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Event": "push"}
    if via == "gitea":
        return {"X-Gitea-Signature": digest, "X-Gitea-Event": "push"}
    if via == "gitlab":
        return {"X-Gitlab-Token": secret, "X-Gitlab-Event": "Push Hook"}
    stamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"msg_1.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,AAAA v1,{signature}"}


def post(start: PushStart, body: bytes, headers: dict[str, str]) -> Any:
    client = Client(raise_request_exception=False)
    return client.post(f"/hooks/{start.pk}/", data=body, content_type=JSON, headers=headers)


@pytest.mark.parametrize("via", ["github", "gitea", "gitlab", "standard"])
def test_a_genuine_push_starts_the_job_once_for_whoever_set_it_up(project: Project, person: Actor, via: str) -> None:
    start, secret = made(project, person, via)
    body = told()
    answer = post(start, body, signed(via, secret, body))
    assert answer.status_code == 202, answer.content
    run = Run.objects.get()
    assert answer.json() == {"outcome": "started", "detail": "", "run": str(run.pk)}
    assert (run.trigger, run.created_by, run.job_id) == ("push", person.user, start.job_id)
    assert run.commit == source.head(project)
    again = post(start, body, signed(via, secret, body))
    assert (again.status_code, again.json()["outcome"]) == (200, "repeated")
    assert Run.objects.count() == 1
    event = AuditEvent.objects.get(action="push-start.taken")
    assert event.after is not None
    assert event.after["run"] == str(run)
    assert event.actor_kind == "push"
    assert secret not in json.dumps(list(AuditEvent.objects.values()), default=str)
    assert secret not in PushStart.objects.get().secret
    assert decrypt(PushStart.objects.get().secret) == secret


@pytest.mark.parametrize("via", ["github", "gitea", "gitlab", "standard"])
def test_what_is_not_genuine_starts_nothing_and_fills_no_log(project: Project, person: Actor, via: str) -> None:
    start, secret = made(project, person, via)
    body = told()
    right = signed(via, secret, body)
    wrong = [
        {},
        signed(via, "whsec_" + base64.b64encode(b"x" * 32).decode() if via == "standard" else "guess", body),
        {name: "" if "ignature" in name or "oken" in name else value for name, value in right.items()},
        {name: "é€" if "ignature" in name or "oken" in name else value for name, value in right.items()}
        if via != "standard"
        else {**right, "webhook-timestamp": "99999999999999999999"},
    ]
    if via == "standard":
        wrong += [signed(via, secret, body, time.time() - 400), signed(via, secret, body, time.time() + 400)]
    for headers in wrong:
        encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        assert post(start, body, encoded).status_code == 403
    if via != "gitlab":
        assert post(start, told("other"), right).status_code == 403
    assert not Run.objects.exists()
    assert not Push.objects.exists()
    assert AuditEvent.objects.filter(action="push-start.refused").count() == 1
    assert post(start, body, right).status_code == 202


def test_other_branches_deletions_and_pings_start_nothing(project: Project, person: Actor) -> None:
    start, secret = made(project, person)
    for body, event in [
        (told("other"), "push"),
        (told(after="0" * 40), "push"),
        (json.dumps({"ref": "refs/tags/v1", "after": SHA}).encode(), "push"),
        (b'{"zen": "Keep it logically awesome."}', "ping"),
    ]:
        answer = post(start, body, {**signed("github", secret, body), "X-GitHub-Event": event})
        assert (answer.status_code, answer.json()["outcome"]) == (200, "ignored"), answer.content
        assert answer.json()["detail"]
    assert not Run.objects.exists()


NO_PUSHES = [b"", b"[]", b"{", b"[" * 100_000, b'{"ref": 1}', b'{"ref": "a\\u0000", "after": ""}', b"\xff"]


@pytest.mark.parametrize("body", NO_PUSHES, ids=range(len(NO_PUSHES)))
def test_what_is_no_push_is_refused(project: Project, person: Actor, body: bytes) -> None:
    start, secret = made(project, person)
    answer = post(start, body, signed("github", secret, body))
    assert answer.status_code == 422
    assert not Push.objects.exists()


def test_large_bodies_and_bombs_are_refused(project: Project, person: Actor) -> None:
    start, secret = made(project, person)
    large = told(padding="x" * 6_000_000)
    assert 400 <= post(start, large, signed("github", secret, large)).status_code < 500
    bomb = gzip.compress(large)
    answer = post(start, bomb, {**signed("github", secret, large), "Content-Encoding": "gzip"})
    assert 400 <= answer.status_code < 500
    assert not Push.objects.exists()


def test_more_than_so_many_in_a_minute_have_to_wait(
    project: Project, person: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MOST_A_MINUTE", 2)
    start, secret = made(project, person)
    codes = []
    for number in range(3):
        body = told(number=number)
        codes.append(post(start, body, signed("github", secret, body)).status_code)
    assert codes == [202, 202, 429]
    Push.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    body = told(number=3)
    assert post(start, body, signed("github", secret, body)).status_code == 202


def test_a_webhook_that_is_switched_off_or_unknown_is_not_there(project: Project, person: Actor) -> None:
    start, secret = made(project, person)
    body = told()
    change_push_start(start, is_active=False, acting_user=person)
    assert post(start, body, signed("github", secret, body)).status_code == 404
    own_repository, _ = made(project, person, "git")
    assert post(own_repository, body, signed("github", "", body)).status_code == 404
    start.pk = project.pk
    assert post(start, body, {}).status_code == 404


def test_another_secret_is_asked_for_before_it_is_made(
    project: Project, person: Actor, browser_client: Any, admin: User
) -> None:
    start, _ = made(project, person)
    page, address = browser_client(admin), f"/push-starts/{start.pk}/secret/"
    assert f'action="{address}"' not in page.get(f"/push-starts/{start.pk}/").content.decode()
    before = PushStart.objects.get().secret
    assert "worthless at once" in page.get(address).content.decode()
    assert PushStart.objects.get().secret == before
    page.post(address)
    assert PushStart.objects.get().secret != before


def test_another_secret_makes_the_one_before_worthless(project: Project, person: Actor) -> None:
    start, old = made(project, person)
    new = make_secret(start, acting_user=person)
    body = told()
    assert post(start, body, signed("github", old, body)).status_code == 403
    assert post(start, body, signed("github", new, body)).status_code == 202


def test_whoever_may_not_start_runs_any_more_starts_none(project: Project, person: Actor, make_user: Any) -> None:
    start, secret = made(project, person)
    PushStart.objects.update(maker=make_user("gone"))
    body = told()
    answer = post(start, body, signed("github", secret, body))
    assert (answer.status_code, answer.json()) == (200, {"outcome": "failed", "detail": "", "run": None})
    assert "not a member" in Push.objects.get().detail
    change_push_start(start, acting_user=person)
    assert person.user is not None
    body = told(number=2)
    assert post(start, body, signed("github", secret, body)).status_code == 202
    type(person.user).objects.filter(pk=person.user.pk).update(is_active=False)
    body = told(number=3)
    assert post(start, body, signed("github", secret, body)).json()["outcome"] == "failed"
    assert not Run.objects.exclude(created_by=person.user).exists()


def changed(project: Project, text: str) -> str:
    return commit(
        project, {"notes.txt": text.encode()}, message="x", expected_head=source.head(project), acting_user=SYSTEM
    )


def test_a_commit_here_starts_the_job_once_at_that_commit(project: Project, person: Actor) -> None:
    changed(project, "before it was set up")
    made(project, person, "git")
    first = changed(project, "one")
    assert own.tick() == 1
    second = changed(project, "two")
    assert own.tick() == 1
    assert own.tick() == 0
    assert [run.commit for run in Run.objects.order_by("number")] == [first, second]
    assert {run.trigger for run in Run.objects.all()} == {"push"}


@pytest.mark.parametrize(
    ("action", "after", "branch"),
    [
        ("project.pushed", {"refs/heads/main": "{sha}", "refs/tags/v1": "{sha}", "refs/heads/gone": None}, "main"),
        ("project.pushed", {"refs/heads/try/one": "{sha}"}, "try/one"),
        ("project.imported", {"commit": "{sha}", "imported": "1" * 40, "address": "https://x.example.org/a"}, "main"),
        ("session.merged", {"branch": "session/1", "commit": "{sha}"}, "main"),
        ("session.committed", {"branch": "session/1", "commit": "{sha}"}, "session/1"),
    ],
)
def test_whatever_moves_a_branch_starts_what_waits_for_it(
    project: Project, person: Actor, action: str, after: dict[str, Any], branch: str
) -> None:
    made(project, person, "git", branch=branch)
    made(project, person, "git", branch="another", name="another")
    head = source.head(project)
    record(
        acting_user=SYSTEM,
        action=AuditAction(action),
        target=Target("project", project.pk, project.name),
        after={name: head if value == "{sha}" else value for name, value in after.items()},
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
    assert own.tick() == 1
    assert own.tick() == 0
    assert Run.objects.get().commit == head
    assert Push.objects.get().branch == branch


def test_other_branches_and_what_is_long_past_start_nothing(
    project: Project, person: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(project, person, "git", branch="release")
    changed(project, "one")
    assert own.tick() == 0
    monkeypatch.setattr(own, "LATEST", timedelta(0))
    made(project, person, "git", name="late")
    changed(project, "two")
    assert own.tick() == 0
    assert not Run.objects.exists()


def test_a_job_that_pushes_to_what_starts_it_is_stopped(
    project: Project, person: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "MOST_UNFINISHED", 1)
    made(project, person, "git")
    changed(project, "one")
    changed(project, "two")
    assert own.tick() == 1
    assert "not over yet" in Push.objects.get(outcome="failed").detail


def test_a_job_that_is_switched_off_says_so(project: Project, person: Actor) -> None:
    start, _ = made(project, person, "git")
    change_job(start.job, is_active=False, acting_user=person)
    changed(project, "one")
    assert own.tick() == 0
    assert "switched off" in Push.objects.get().detail


def test_it_is_set_up_on_pages(project: Project, person: Actor) -> None:
    assert person.user is not None
    create_job(project, name="nightly", script="train.py", acting_user=person)
    client = Client()
    client.force_login(person.user)
    address = f"/projects/{project.pk}/push-starts/"
    form = {"name": "ours", "via": "gitlab", "job": "nightly", "branch": "main", "description": ""}
    shown = client.post(f"{address}new/", form).content.decode()
    start = PushStart.objects.get()
    secret = decrypt(start.secret)
    assert secret in shown
    assert f"/hooks/{start.pk}/" in shown
    assert client.post(f"{address}new/", form).status_code == 409
    body = told()
    assert post(start, body, signed("gitlab", secret, body)).status_code == 202
    page = client.get(f"/push-starts/{start.pk}/").content.decode()
    assert secret not in page
    assert SHA[:10] in page
    assert "ours" in client.get(address).content.decode()
    assert "ours" in client.get(f"/jobs/{start.job_id}/").content.decode()
    for branch in ("feature/*", "a..b", "-x", "a b", "a\u202eb"):
        answer = client.post(f"/push-starts/{start.pk}/edit/", {"job": "nightly", "branch": branch, "description": "x"})
        assert answer.status_code == 422, branch
        assert "patterns are not read" in answer.content.decode()
    client.post(f"/push-starts/{start.pk}/edit/", {"job": "nightly", "branch": "", "description": "x"})
    start.refresh_from_db()
    assert (start.branch, start.is_active, start.revision) == ("", False, 2)
    assert client.post(f"/push-starts/{start.pk}/delete/").status_code == 302
    assert not PushStart.objects.exists()


def test_forms_of_servers_are_read() -> None:
    assert read_push("gitlab", {"X-Gitlab-Event": "Push Hook"}, told("a/b")).branch == "a/b"
    assert read_push("standard", {}, told()).commit == SHA
    assert read_push("gitlab", {"X-Gitlab-Event": "Tag Push Hook"}, told()).because
