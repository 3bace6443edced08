"""Whatever is posted to a webhook in: a refusal, or what came of it, and never an error of ours."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from django.test import Client

from jobs.models import PushStart
from jobs.pushes.services import create_push_start
from jobs.services import create_job
from modelwright.accounts.actors import Actor
from projects.models import Project

pytestmark = pytest.mark.django_db
HEADERS = ("X-Hub-Signature-256", "X-Gitlab-Token", "X-Gitea-Signature", "webhook-signature")
GARBAGE = ("", "sha256=", "ÿþ", "a" * 10_000, "v1,", "v1, v1,x", "sha256=" + "0" * 64)


@pytest.fixture(params=["github", "gitlab", "gitea", "standard"])
def start(request: Any, make_project: Any, make_user: Any) -> tuple[PushStart, str]:
    """A webhook of each form, and its secret."""
    project: Project = make_project("ours")
    admin = Actor.person(make_user("root-of-all", is_site_admin=True))
    create_job(project, name="train", script="train.py", acting_user=admin)
    made, secret = create_push_start(
        project, name="hook", via=request.param, job="train", branch="main", acting_user=admin
    )
    return made, secret


def signed(start: PushStart, secret: str, body: bytes, at: float = 0) -> dict[str, str]:
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if start.via == "gitlab":
        return {"X-Gitlab-Token": secret}
    if start.via != "standard":
        return {"X-Hub-Signature-256": f"sha256={mac}"} if start.via == "github" else {"X-Gitea-Signature": mac}
    stamp = str(int(at or time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    found = base64.b64encode(hmac.new(key, f"m.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": "m", "webhook-timestamp": stamp, "webhook-signature": f"v1,{found}"}


def post(start: PushStart, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    answer = Client(raise_request_exception=False).post(
        f"/hooks/{start.pk}/", body, content_type="application/json", headers=headers
    )
    return answer.status_code, answer.content


def test_who_does_not_know_the_secret_is_refused(start: tuple[PushStart, str]) -> None:
    hook, secret = start
    for name in HEADERS:
        for value in GARBAGE:
            given = {name: value.encode().decode("latin-1"), "webhook-timestamp": str(int(time.time()))}
            assert post(hook, b"{}", given)[0] == 403
    body = b'{"ref": "refs/heads/other"}'
    if hook.via != "gitlab":  # Its token signs nothing.
        assert post(hook, body + b" ", signed(hook, secret, body))[0] == 403
    if hook.via == "standard":
        assert post(hook, body, signed(hook, secret, body, at=time.time() - 3600))[0] == 403
    assert post(hook, gzip.compress(bytes(50_000_000)), {"Content-Encoding": "gzip"})[0] == 422


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"ref": 1}',
        b'{"ref": "refs/heads/a\\u0000"}',
        b'{"ref": "refs/heads/\\ud800"}',
        b'{"ref": "refs/heads/x", "after": "\\udfff"}',
        b'{"ref": "refs/heads/x", "after": {"a": 1}}',
    ],
)
def test_nonsense_of_somebody_who_knows_it_is_told(start: tuple[PushStart, str], body: bytes) -> None:
    hook, secret = start
    status, said = post(hook, body, signed(hook, secret, body))
    assert (status, json.loads(said)["status"]) == (422, 422)


def test_what_was_posted_once_starts_nothing_again(start: tuple[PushStart, str]) -> None:
    hook, secret = start
    body = json.dumps({"ref": "refs/heads/other", "after": "1" * 40}).encode()
    assert [json.loads(post(hook, body, signed(hook, secret, body))[1])["outcome"] for _ in range(2)] == [
        "ignored",
        "repeated",
    ]
