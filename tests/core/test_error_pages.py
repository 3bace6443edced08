"""Errors say what to do, as a page and as problem+json."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from modelwright import urls
from modelwright.accounts.models import User
from modelwright.console.problem_texts import PROBLEMS
from modelwright.core.errors import PlatformError


def _broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret detail")


def _away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("secret detail")


urlpatterns = [
    *(path("broken/", _broken), path("api/broken/", _broken)),
    *(path("away/", _away), path("api/away/", _away)),
    path("", include("modelwright.urls")),
]
handler404, handler500 = urls.handler404, urls.handler500


def test_unknown_page_is_a_page(browser_client: Any, stranger: User) -> None:
    response = browser_client(stranger).get("/nowhere/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


def test_unknown_api_address_is_a_problem_document(db: None) -> None:
    response = Client().get("/api/v1/nowhere/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "/docs/problems/#not-found"


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("address", ["/broken/", "/api/broken/"])
def test_a_fault_shows_the_request_id_and_no_detail(db: None, address: str) -> None:
    response = Client(raise_request_exception=False).get(address, headers={"X-Request-ID": "abcdefgh-1234"})
    assert response.status_code == 500
    body = response.content.decode()
    assert "abcdefgh-1234" in body
    assert "secret detail" not in body


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("address", ["/away/", "/api/away/"])
def test_a_database_that_is_away_is_no_fault_of_the_platform(db: None, address: str) -> None:
    response = Client(raise_request_exception=False).get(address)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    body = response.content.decode()
    assert "The database does not answer" in body
    assert "secret detail" not in body


def test_stale_form_says_what_to_do(stranger: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(stranger)
    response = client.post("/logout/")
    assert response.status_code == 403
    assert "reload the page" in response.content.decode()


def _subclasses(base: type[PlatformError]) -> set[type[PlatformError]]:
    return {base}.union(*(_subclasses(one) for one in base.__subclasses__()))


def test_every_problem_type_is_explained() -> None:
    explained = {problem.code for problem in PROBLEMS}
    assert {error.code for error in _subclasses(PlatformError)} <= explained


def test_health_needs_no_sign_in(db: None) -> None:
    assert Client().get("/health/live").json() == {"status": "ok"}
    body = Client().get("/health/ready").json()
    assert body["checks"]["database"] == "ok"
    assert body["checks"]["broker"] == "ok"
