"""Who is known before a body is read: whoever has a live token of any kind, or a login."""

from __future__ import annotations

import base64
from typing import Any
from unittest.mock import patch

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import Client

from modelwright import senders
from modelwright.accounts.actors import Actor
from modelwright.accounts.services import create_token, revoke_token
from tests.conftest import MakeUser


def knows(**headers: str) -> bool:
    found = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    # A test's connection is inside of its transaction.
    with patch.object(senders, "close_old_connections"):
        return async_to_sync(senders.is_known)({"headers": found})


@pytest.mark.django_db
def test_tokens_and_logins_that_live_are_known_and_nobody_else(make_user: MakeUser, monkeypatch: Any) -> None:
    ann = make_user("ann")
    token, text = create_token(name="x", acting_user=Actor.person(ann))
    basic = base64.b64encode(f"anything:{text}".encode()).decode()
    client = Client()
    client.force_login(ann)
    cookie = f"other=1; {settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    assert knows(authorization=f"Bearer {text}")
    assert knows(authorization=f"Basic {basic}")
    assert knows(cookie=cookie)
    for wrong in ("", "Bearer", "Bearer mwt_x", "Bearer mws_x", "Bearer mwb_x", "Basic !", "Basic /w==", "Digest x"):
        assert not knows(authorization=wrong)
    for wrong in (
        "",
        f"{settings.SESSION_COOKIE_NAME}=" + "a" * 32,
        f'{settings.SESSION_COOKIE_NAME}="\\000"',
        "\xff=;",
    ):
        assert not knows(cookie=wrong)
    assert not knows()
    for look_up in ("session_of_token", "job_of_token"):
        with monkeypatch.context() as one:
            one.setattr(senders, look_up, lambda token: token == "mwx_theirs" or None)
            assert knows(authorization="Bearer mwx_theirs")
    revoke_token(token, acting_user=Actor.person(ann))
    assert not knows(authorization=f"Bearer {text}")
    client.logout()
    assert not knows(cookie=cookie)
