"""Whatever a cookie holds, who sends it is nobody."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from modelwright.accounts.login_store import SessionStore
from tests.conftest import MakeUser

NUL = '"' + "\\000" * 32 + '"'


@pytest.mark.django_db
@pytest.mark.parametrize("value", [NUL, '"abcdefgh\\000"', "../../../../etc", "a" * 5000, "é" * 20, "' OR '1'='1' --x"])
@pytest.mark.parametrize("path", ["/login/", "/", "/api/v1/me/"])
def test_no_login_is_looked_for_under_a_name_that_none_has(value: str, path: str) -> None:
    client = Client(raise_request_exception=False)
    answer = client.get(path, headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={value}"})
    assert answer.status_code in (200, 302, 401)


@pytest.mark.django_db
def test_logins_that_were_made_before_go_on(make_user: MakeUser) -> None:
    client = Client()
    client.force_login(make_user("ann"))
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.get("/profile/").status_code == 200
    row = Session.objects.get(session_key=key)
    assert SessionStore(key)["_auth_user_id"] == row.get_decoded()["_auth_user_id"]
