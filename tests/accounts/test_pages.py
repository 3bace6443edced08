"""Signing in, the profile, people: behaviour without a browser."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from modelwright.accounts import sign_in
from modelwright.accounts.models import ApiToken, User
from modelwright.audit.models import AuditEvent
from tests.conftest import PASSWORD


def log_in(client: Client, name: str, password: str = PASSWORD, **extra: str) -> Any:
    return client.post("/login/", {"username": name, "password": password, **extra})


def actions(name: str) -> list[str]:
    return list(
        AuditEvent.objects.filter(action__startswith="login.", target_name=name)
        .order_by("id")
        .values_list("action", flat=True)
    )


def test_pages_ask_to_sign_in_first(client: Client, db: None) -> None:
    assert client.get("/profile/")["Location"] == "/login/?next=/profile/"


def test_sign_in_and_out_are_on_record(client: Client, stranger: User) -> None:
    assert log_in(client, "stranger")["Location"] == "/"
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/profile/").status_code == 302
    assert actions("stranger") == ["login.succeeded", "login.ended"]


def test_sign_out_needs_a_post(client: Client, stranger: User) -> None:
    client.force_login(stranger)
    assert client.get("/logout/").status_code == 405


@pytest.mark.parametrize("name", ["stranger", "nobody"])
def test_failure_is_on_record_and_does_not_tell_whether_the_name_exists(
    client: Client, stranger: User, name: str
) -> None:
    response = log_in(client, name, "wrong")
    assert response.status_code == 422
    assert "The name or the password is not right" in response.content.decode()
    assert actions(name) == ["login.failed"]
    assert "wrong" not in str(AuditEvent.objects.filter(action="login.failed").values())


def test_inactive_person_cannot_sign_in(client: Client, stranger: User) -> None:
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    assert log_in(client, "stranger").status_code == 422


def test_ten_failures_make_a_name_wait(client: Client, stranger: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(sign_in.MAX_FAILURES_PER_NAME):
        assert log_in(client, "stranger", "wrong").status_code == 422
    response = log_in(client, "stranger")
    assert response.status_code == 429
    assert "Wait 5 minutes" in response.content.decode()
    monkeypatch.setattr(sign_in, "WINDOW", timedelta(0))
    assert log_in(client, "stranger").status_code == 302


def test_one_address_cannot_try_many_names(client: Client, stranger: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "MAX_FAILURES_PER_ADDRESS", 3)
    for index in range(3):
        log_in(client, f"name-{index}", "wrong")
    assert log_in(client, "stranger").status_code == 429


@pytest.mark.parametrize(
    ("wanted", "target"),
    [("/people/", "/people/"), ("https://evil.example/", "/"), ("//evil.example/", "/"), ("javascript:alert(1)", "/")],
)
def test_next_leads_only_within_the_platform(client: Client, stranger: User, wanted: str, target: str) -> None:
    assert log_in(client, "stranger", next=wanted)["Location"] == target


def test_token_made_on_the_page_works_and_is_shown_once(browser_client: Any, stranger: User) -> None:
    client = browser_client(stranger)
    made = client.post("/profile/tokens/new/", {"name": "ci", "scope": "read", "days": "30"})
    text = made.context["text"]
    assert "no-store" in made["Cache-Control"]
    assert Client(headers={"Authorization": f"Bearer {text}"}).get("/api/v1/me/").status_code == 200
    assert text not in client.get("/profile/").content.decode()
    token = ApiToken.objects.get(name="ci")
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=31)


def test_nobody_revokes_another_persons_token(browser_client: Any, stranger: User, admin: User) -> None:
    browser_client(stranger).post("/profile/tokens/new/", {"name": "ci", "scope": "full", "days": "0"})
    token = ApiToken.objects.get(name="ci")
    assert browser_client(admin).post(f"/profile/tokens/{token.pk}/revoke/").status_code == 404
    assert browser_client(stranger).post(f"/profile/tokens/{token.pk}/revoke/").status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None


def _change_password(client: Client, old: str, new: str, again: str) -> Any:
    return client.post("/profile/password/", {"old": old, "password": new, "again": again})


def test_password_change_keeps_this_session_and_ends_others(browser_client: Any, stranger: User) -> None:
    here, elsewhere = browser_client(stranger), browser_client(stranger)
    assert _change_password(here, PASSWORD, "another long one 77", "another long one 77").status_code == 302
    assert here.get("/profile/").status_code == 200
    assert elsewhere.get("/profile/").status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "again", "words"),
    [
        ("wrong", "another long one 77", "another long one 77", "The present password is not right"),
        (PASSWORD, "short", "short", "too short"),
        (PASSWORD, "another long one 77", "another long one 78", "The two new passwords differ"),
    ],
)
def test_wrong_password_change_says_why(
    browser_client: Any, stranger: User, old: str, new: str, again: str, words: str
) -> None:
    response = _change_password(browser_client(stranger), old, new, again)
    assert response.status_code == 422
    assert words in response.content.decode()


def test_people_are_for_administrators_and_auditors(
    browser_client: Any, admin: User, auditor: User, stranger: User
) -> None:
    assert browser_client(stranger).get("/people/").status_code == 403
    assert browser_client(stranger).get(f"/people/{admin.pk}/").status_code == 404
    assert browser_client(auditor).get("/people/?role=admin").context["listing"].rows == [admin]
    assert browser_client(auditor).get("/people/new/").status_code == 403
    assert browser_client(auditor).post(f"/people/{stranger.pk}/", {"is_active": "on"}).status_code == 403
    assert browser_client(admin).get("/people/?active=no").context["listing"].rows == []


def test_administrator_adds_and_changes_a_person(browser_client: Any, admin: User) -> None:
    client = browser_client(admin)
    form = {"username": "ann", "full_name": "Ann Archer", "password": "a long enough password 1"}
    made = client.post("/people/new/", form)
    ann = User.objects.get(username="ann")
    assert made["Location"] == f"/people/{ann.pk}/"
    client.post(f"/people/{ann.pk}/", {"is_active": "on", "is_auditor": "on"})
    ann.refresh_from_db()
    assert (ann.is_active, ann.is_auditor, ann.is_site_admin) == (True, True, False)


@pytest.mark.parametrize(("username", "words"), [("Not Valid", "A name has"), ("admin", "There is a person called")])
def test_wrong_person_stays_on_the_form(browser_client: Any, admin: User, username: str, words: str) -> None:
    response = browser_client(admin).post("/people/new/", {"username": username, "password": "a long enough one 1"})
    assert response.status_code in (409, 422)
    assert words in response.content.decode()


def test_last_administrator_stays(browser_client: Any, admin: User) -> None:
    response = browser_client(admin).post(f"/people/{admin.pk}/", {"is_active": "on"})
    assert response.status_code == 409
    assert "last active administrator" in response.content.decode()


def test_a_live_part_of_a_page_sends_the_whole_page_to_the_sign_in(client: Client, db: None) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/people/?q=a"}
    response = client.get("/people/", headers=headers)
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/login/?next=/people/%3Fq%3Da"


def test_administrator_resets_a_password_which_ends_the_sessions(
    browser_client: Any, client: Client, admin: User, stranger: User
) -> None:
    session = browser_client(stranger)
    url = f"/people/{stranger.pk}/password/"
    assert session.post(url, {"password": "another long one 77"}).status_code == 403
    assert browser_client(admin).post(url, {"password": "short"}).status_code == 422
    assert browser_client(admin).post(url, {"password": "another long one 77"}).status_code == 302
    assert session.get("/profile/").status_code == 302
    assert log_in(client, "stranger", "another long one 77").status_code == 302
    event = AuditEvent.objects.get(action="user.password-reset")
    assert (event.actor_name, event.target_name, event.after) == ("admin", "stranger", None)
