"""The matrix's world for every test of this folder, made once; each test's changes are rolled back."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client, override_settings
from pytest_django.plugin import DjangoDbBlocker

from tests.matrix.world import World, build


@pytest.fixture(scope="package")
def _world(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    quick = {
        "DATA_DIR": tmp_path_factory.mktemp("data"),
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "WHITENOISE_AUTOREFRESH": True,
    }
    with django_db_blocker.unblock(), override_settings(**quick), transaction.atomic():
        yield build()
        transaction.set_rollback(True)


@pytest.fixture
def db(_world: World) -> None:
    """In place of pytest-django's, which would begin a database of the test's own."""


@pytest.fixture
def world(db: None, _world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """People in each role and one of everything. What the test changes is rolled back."""
    # A refusal is what most requests here are meant to meet.
    monkeypatch.setattr(logging.getLogger("django.request"), "level", logging.CRITICAL)
    savepoint = transaction.savepoint()
    yield _world
    transaction.savepoint_rollback(savepoint)
    _world.restore_branch()


class JsonClient(Client):
    """A client of the REST API with a person's token; `send` speaks JSON with any method."""

    def __init__(self, token: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)

    def send(self, method: str, address: str, body: Any = None, **headers: str) -> Any:
        """The answer. Header names are written with underscores: `If_Match`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else json.dumps(body).encode()
        return self.generic(method, address, content, content_type="application/json", headers=named)


@pytest.fixture
def client_of(world: World) -> Any:
    """A client for a role: `client_of("site-admin").send("POST", "/api/v1/…", {...})`."""
    return lambda role: JsonClient(world.tokens[role])
