"""What each route is asked with, so that a refusal is about the role and not about the input."""

from __future__ import annotations

from typing import Any

PASSWORD = "correct horse battery staple"
NEW_PASSWORD = "another correct horse battery"

# Texts such as "{sha}" stand for the world's value of that name.
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
        "expected_head": "{sha}",
        "changes": [{"path": "notes.txt", "content": "hello"}],
    },
    ("api-project-jobs", "POST"): {"name": "weekly", "script": "train.py"},
    ("api-job", "PATCH"): {"description": "changed"},
    ("api-job-runs", "POST"): {"parameters": {"depth": 4}},
    ("api-project-runs", "POST"): {"script": "train.py"},
    ("api-run-cancellation", "POST"): {"reason": "no longer needed"},
    ("login", "POST"): {"username": "viewer", "password": PASSWORD},
    ("password", "POST"): {"old": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD},
    ("person", "POST"): {"is_active": "on"},
    ("person-create", "POST"): {"username": "newcomer", "password": "a long enough password 1"},
    ("token-create", "POST"): {"name": "another", "scope": "read"},
}

# What reading routes cannot do without.
QUERIES: dict[str, dict[str, str]] = {
    "api-project-files": {"path": "README.md"},
    "api-run-metric-history": {"key": "accuracy"},
}

# Values of variables in addresses that mean something else here than elsewhere.
VALUES: dict[str, dict[str, str]] = {}

# Nobody succeeds in the matrix, because it would take MLflow's server: tests/jobs does it with a real one. Without
# `path`, whoever may see the run is told that it is missing (422), and whoever may not finds nothing (404).
SUCCEEDS_ELSEWHERE = {"api-run-artifact GET"}


def filled(template: Any, values: dict[str, Any]) -> Any:
    """The template with each text such as "{sha}" replaced by the value of that name."""
    if isinstance(template, dict):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values) for value in template]
    if isinstance(template, str) and template.startswith("{") and template.endswith("}"):
        return str(values[template[1:-1]])
    return template
