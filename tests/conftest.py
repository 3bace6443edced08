"""Fixtures for every room: people in each role, clients that act for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client, TransactionTestCase
from hypothesis import settings as examples
from pytest_django.plugin import DjangoDbBlocker

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.services import create_token, create_user
from tests import migrated
from tests.emptying import empty, keep_what_migrations_made

pytest_plugins = ["tests.ui.fixtures"]

# A loaded machine may be slow at any example. Before any test is imported: `@given` takes what holds then.
examples.register_profile("patient", deadline=None)
examples.load_profile("patient")

PASSWORD = "correct horse battery staple"
MakeUser = Callable[..., User]


@pytest.fixture(scope="session")
def _turn(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[migrated.Turn]:
    turn = migrated.Turn()
    with django_db_blocker.unblock():
        turn.begin()
    yield turn
    with django_db_blocker.unblock():
        turn.forget()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(_turn: migrated.Turn) -> None:
    """What pytest-django asks for just before it makes the database."""


@pytest.fixture(scope="session")
def django_db_setup(_turn: migrated.Turn, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database of pytest-django, which each test finds as migrations left it, whichever came before."""
    with django_db_blocker.unblock():
        _turn.is_migrated()
        statements = keep_what_migrations_made()
    with patch.object(TransactionTestCase, "_fixture_teardown", lambda _case: empty(statements)):
        yield


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """The real hash takes half a second for each person that a test makes; the end-to-end tests sign in with it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _static_files_on_demand(settings: Any) -> None:
    """Without it each client that a test makes looks through all static files first, which takes 40 ms."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """Make a person: `make_user("ann", is_site_admin=True)`."""

    def make(username: str, **flags: Any) -> User:
        return create_user(username=username, password=PASSWORD, acting_user=Actor.system("tests"), **flags)

    return make


@pytest.fixture
def admin(make_user: MakeUser) -> User:
    """A site administrator."""
    return make_user("admin", is_site_admin=True)


@pytest.fixture
def auditor(make_user: MakeUser) -> User:
    """An auditor."""
    return make_user("auditor", is_auditor=True)


@pytest.fixture
def stranger(make_user: MakeUser) -> User:
    """A person without any role."""
    return make_user("stranger")


class ApiClient(Client):
    """A client of the REST API with a person's token, speaking JSON."""

    def __init__(self, token: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})


@pytest.fixture
def api() -> Callable[[User], ApiClient]:
    """A REST client for a person: `api(ann).post("/api/v1/…", {...}, content_type="application/json")`."""

    def make(user: User, **kwargs: Any) -> ApiClient:
        _, text = create_token(name="tests", acting_user=Actor.person(user), **kwargs)
        return ApiClient(text)

    return make


@pytest.fixture
def browser_client() -> Callable[[User], Client]:
    """A signed-in client for pages."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make
