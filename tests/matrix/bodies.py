"""A body that each writing route accepts, so that a refusal is about the role and not about the input."""

from __future__ import annotations

from typing import Any

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("api-users", "POST"): {"username": "newcomer", "password": "a long enough password 1"},
    ("api-user", "PATCH"): {"is_auditor": True},
    ("api-tokens", "POST"): {"name": "another"},
    ("api-workspaces", "POST"): {"name": "another"},
    ("api-workspace", "PATCH"): {"description": "changed"},
    ("api-workspace-member", "PUT"): {"role": "admin"},
    ("api-data-connections", "POST"): {"name": "second", "kind": "http", "config": {"url": "https://example.org/b"}},
    ("api-data-connection", "PATCH"): {"description": "changed"},
    ("api-workspace-projects", "POST"): {"name": "second"},
    ("api-project", "PATCH"): {"description": "changed"},
    ("api-project-member", "PUT"): {"role": "operator"},
    ("api-project-variable", "PUT"): {"value": "2"},
    ("api-project-commits", "POST"): {
        "message": "Change",
        "changes": [{"path": "notes.txt", "content": "hello"}],
    },
    ("login", "POST"): {"username": "viewer", "password": "correct horse battery staple"},
    ("password", "POST"): {
        "old": "correct horse battery staple",
        "new": "another correct horse battery",
        "again": "another correct horse battery",
    },
    ("person", "POST"): {"is_active": "on"},
    ("person-create", "POST"): {"username": "newcomer", "password": "a long enough password 1"},
    ("token-create", "POST"): {"name": "another", "scope": "read"},
}
