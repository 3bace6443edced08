"""The permission matrix: every route × method × role, against a golden file that a reviewer reads.

`MODELWRIGHT_WRITE_GOLDEN=1 ./modelwright test tests/matrix` writes the file anew; the diff is then what to review.
"""

from __future__ import annotations

import json
import logging
import os
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.test.client import MULTIPART_CONTENT

from modelwright.accounts.permissions import (
    AUDITOR_PERMISSIONS,
    PROJECT_ROLE_PERMISSIONS,
    WORKSPACE_ROLE_PERMISSIONS,
    Permission,
    ProjectRole,
    WorkspaceRole,
)
from modelwright.core.api import PUBLIC, SIGNED_IN
from tests.matrix.bodies import BODIES, QUERIES, SUCCEEDS_ELSEWHERE, VALUES, filled
from tests.matrix.routes import METHODS, Route, routes
from tests.matrix.world import ROLES, World, build

GOLDEN = Path(__file__).parent / "golden.json"
# Views of libraries and probes, which declare nothing: what each answers is pinned here.
UNDECLARED = {"health-live": "public", "health-ready": "public", "metrics": "token"}
Matrix = dict[str, dict[str, int]]
# Whichever test comes first asks for all of the answers, some six thousand.
pytestmark = pytest.mark.timeout(900)

_answers: Matrix = {}
_faults: dict[str, str] = {}


@pytest.fixture
def matrix(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Matrix:
    """Every answer, each call rolled back. Asked once; every test then looks at the same answers."""
    if not _answers:
        settings.DATA_DIR = tmp_path
        monkeypatch.setattr(logging.getLogger("django.request"), "level", logging.CRITICAL)
        _answers.update(_fill(build()))
    return _answers


def _fill(world: World) -> Matrix:
    # One client for each role: making one loads the middleware anew, which takes longer than most answers.
    clients = {role: _client(world, role) for role in ROLES}
    result: Matrix = {}
    for route in routes():
        for method in METHODS:
            if method in (route.permissions or {"GET": ""}):
                row = {role: _ask(world, clients[role], route, method, role) for role in ROLES}
                result[f"{route.name} {method}"] = row
    return result


def _client(world: World, role: str) -> Client:
    client = Client(raise_request_exception=False)
    if role != "anonymous":
        client.force_login(world.people[role])
    return client


def _ask(world: World, client: Client, route: Route, method: str, role: str) -> int:
    values = world.values_for(role)
    values |= filled(VALUES.get(route.name, {}), values)
    is_git = route.name.startswith("git-")
    kwargs: dict[str, Any] = {"query_params": QUERIES.get(route.name)}
    if method != "GET":
        body = filled(BODIES.get((route.name, method), {}), values)
        kwargs |= {"data": body, "content_type": "application/json" if route.is_api else MULTIPART_CONTENT}
    if is_git and method != "GET":
        kwargs |= {"data": b"0000", "content_type": "application/x-git-request"}
    if (route.is_api or is_git) and role != "anonymous":
        kwargs["headers"] = {"Authorization": f"Bearer {world.tokens[role]}"}
    cookies = SimpleCookie(client.cookies)
    savepoint = transaction.savepoint()
    try:
        response = getattr(client, method.lower())(route.address(values), **kwargs)
        if response.status_code >= 500:
            _faults[f"{route.name} {method} {role}"] = repr(getattr(response, "exc_info", None) or response.content)
        return int(response.status_code)
    finally:
        transaction.savepoint_rollback(savepoint)
        client.cookies = cookies
        world.restore_branch()


def succeeded(status: int) -> bool:
    """A page answers a good form with a redirect."""
    return 200 <= status < 400


def test_every_route_declares_its_permissions() -> None:
    undeclared = {route.name for route in routes() if route.permissions is None}
    assert undeclared == set(UNDECLARED)


def test_every_declared_method_exists() -> None:
    missing = [
        f"{route.name} {method}"
        for route in routes()
        for method in route.permissions or {}
        if not hasattr(route.view, method.lower())
    ]
    assert not missing


def test_somebody_can_do_each_thing(matrix: Matrix) -> None:
    """A matrix of refusals alone would be green while every address was a 404."""
    nobody = {key for key, row in matrix.items() if not any(succeeded(s) for r, s in row.items() if r != "anonymous")}
    assert nobody == SUCCEEDS_ELSEWHERE


def test_nothing_fails_on_the_server(matrix: Matrix) -> None:
    assert _faults == {}
    assert {key: row for key, row in matrix.items() if any(status >= 500 for status in row.values())} == {}


def test_without_sign_in_nothing_opens(matrix: Matrix) -> None:
    public = {f"{r.name} {m}" for r in routes() for m, p in (r.permissions or {}).items() if p == PUBLIC}
    public |= {f"{name} GET" for name, kind in UNDECLARED.items() if kind == "public"}
    pages = {route.name for route in routes() if not route.is_api}
    opened = {
        key: row["anonymous"]
        for key, row in matrix.items()
        if key not in public and not (row["anonymous"] == 401 or (key.split()[0] in pages and row["anonymous"] == 302))
    }
    assert opened == {}


def test_a_stranger_reaches_nothing_of_a_workspace(matrix: Matrix) -> None:
    inside = {
        "workspace_id",
        "project_id",
        "job_id",
        "run_id",
        "model_id",
        "version_id",
        "endpoint_id",
        "prediction_id",
        "batch_id",
        "reexecution_id",
        "replay_id",
        "drill_id",
        "drill_alert_id",
        "golden_id",
        "promotion_id",
        "consent_id",
        "session_id",
        "application_id",
        "start_id",
        "import_id",
    }
    reached = {
        f"{route.name} {method}": status
        for route in routes()
        if inside & set(route.variables)
        for method in METHODS
        if (status := matrix.get(f"{route.name} {method}", {}).get("stranger")) not in (None, 404)
    }
    assert reached == {}


def test_an_auditor_writes_nothing(matrix: Matrix) -> None:
    own = {"api-tokens", "api-token", "token-create", "token-revoke", "password", "login", "logout"}
    # Whoever asks: the token in the body is the permission, and only an administrator makes one.
    own |= {"api-host-join"}
    # Git's protocol asks for what it fetches by POST.
    own |= {"git-fetch"}
    written = {
        key: row["auditor"]
        for key, row in matrix.items()
        if not key.endswith(" GET") and key.split()[0] not in own and succeeded(row["auditor"])
    }
    assert written == {}


def _holders(permission: str) -> set[str]:
    """The roles that hold the permission, by the tables of roles and by nothing that a view does."""
    member, boss = (WORKSPACE_ROLE_PERMISSIONS[role] for role in (WorkspaceRole.MEMBER, WorkspaceRole.ADMIN))
    held = {
        "workspace-member": member,
        "viewer": member | PROJECT_ROLE_PERMISSIONS[ProjectRole.VIEWER],
        "operator": member | PROJECT_ROLE_PERMISSIONS[ProjectRole.OPERATOR],
        "contributor": member | PROJECT_ROLE_PERMISSIONS[ProjectRole.CONTRIBUTOR],
        "project-admin": member | PROJECT_ROLE_PERMISSIONS[ProjectRole.ADMIN],
        "workspace-admin": boss,
        "auditor": AUDITOR_PERMISSIONS,
        "site-admin": frozenset(Permission),
    }
    return {role for role, permissions in held.items() if permission in permissions}


def test_each_role_gets_what_the_tables_of_roles_give_it(matrix: Matrix) -> None:
    """Whoever holds the declared permission is not refused; everybody else is."""
    wrong = {}
    for route in routes():
        for method, permission in (route.permissions or {}).items():
            if permission not in (PUBLIC, SIGNED_IN):
                row = matrix[f"{route.name} {method}"]
                let_in = {role for role in ROLES if role != "anonymous" and row[role] not in (401, 403, 404)}
                if let_in != _holders(permission):
                    wrong[f"{route.name} {method}"] = {"may": _holders(permission), "does": let_in}
    assert wrong == {}


def test_matrix_equals_the_golden_file(matrix: Matrix) -> None:
    if os.environ.get("MODELWRIGHT_WRITE_GOLDEN") == "1":
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in sorted(matrix.items()))
        GOLDEN.write_text("{\n" + lines + "\n}\n")
    golden: Matrix = json.loads(GOLDEN.read_text())
    assert matrix == golden
