"""Every write leaves a row in the audit log, and none is made by a page of somebody else's."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.test.client import MULTIPART_CONTENT

from modelwright.audit.models import AuditEvent
from tests.matrix.bodies import BODIES, QUERIES, VALUES, filled
from tests.matrix.routes import METHODS, Route, routes
from tests.matrix.world import World, build

# Who tries first; others where that one may not.
WRITERS = ("site-admin", "project-admin", "contributor", "operator", "stranger")
UNSAFE = tuple(method for method in METHODS if method != "GET")
pytestmark = pytest.mark.timeout(900)


def rows_of(world: World, client: Client, route: Route, method: str, role: str) -> tuple[int, int]:
    """The answer to a write, which is undone, and how many audit rows it left."""
    values = world.values_for(role)
    values |= filled(VALUES.get(route.name, {}), values)
    body = filled(BODIES.get((route.name, method), {}), values)
    kwargs: dict[str, Any] = {"data": body, "content_type": "application/json" if route.is_api else MULTIPART_CONTENT}
    if route.is_api:
        kwargs["headers"] = {"Authorization": f"Bearer {world.tokens[role]}"}
    savepoint, before = transaction.savepoint(), AuditEvent.objects.count()
    try:
        call = getattr(client, method.lower())
        status = call(route.address(values), query_params=QUERIES.get(route.name), **kwargs).status_code
        return int(status), AuditEvent.objects.count() - before
    finally:
        transaction.savepoint_rollback(savepoint)
        world.restore_branch()


def test_every_write_is_on_record(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(logging.getLogger("django.request"), "level", logging.CRITICAL)
    world, silent, written = build(), set(), 0
    for route in routes():
        # Git and the processes of workloads have tests of their own; nobody writes by a GET.
        if route.name.startswith("git-"):
            continue
        for method in set(UNSAFE) & set(route.permissions or {}):
            for role in WRITERS:
                client = Client(raise_request_exception=False)
                client.force_login(world.people[role])
                status, rows = rows_of(world, client, route, method, role)
                if status < 400:
                    written += 1
                    if not rows:
                        silent.add(f"{route.name} {method}")
                    break
    assert written > 200
    assert silent == SILENT


# The host of the matrix is active, so that this changes nothing.
SILENT = {"api-host-activate POST", "host-activate POST"}


def test_no_page_of_another_site_writes(
    db: None, settings: Any, tmp_path: Path, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser brings the login along, and nothing else that the platform gave it."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(logging.getLogger("django.security.csrf"), "level", logging.CRITICAL)
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(admin)
    through = {}
    for route in routes():
        values = {name: 1 if name == "number" else "x" if name in NAMES else uuid4() for name in route.variables}
        for method in set(UNSAFE) & set(route.permissions or {}):
            for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json"):
                answer = getattr(client, method.lower())(route.address(values), data="{}", content_type=kind)
                # 401: it asks for a token and looks at no login.
                if answer.status_code not in (401, 403):
                    through[f"{route.name} {method}"] = answer.status_code
    assert through == THROUGH


NAMES = {"workspace", "project", "username", "name", "alias", "stage", "kind"}
# They look at what stands in the body alone: a signature, or a token to join with.
THROUGH = {"push-hook POST": 404, "api-host-join POST": 422}
