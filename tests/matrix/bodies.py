"""What each route is asked with, so that a refusal is about the role and not about the input."""

from __future__ import annotations

from typing import Any

PASSWORD = "correct horse battery staple"
NEW_PASSWORD = "another correct horse battery"


class Upload:
    """A file that may be sent any number of times."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self._content = content

    def read(self) -> bytes:
        """All of it, each time."""
        return self._content


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
    ("api-project-variable", "PATCH"): {"description": "changed"},
    ("api-project-commits", "POST"): {
        "message": "Change",
        "expected_head": "{sha}",
        "changes": [{"path": "notes.txt", "content": "hello"}],
    },
    ("api-project-renames", "POST"): {
        "path": "README.md",
        "new_path": "docs/README.md",
        "message": "Move",
        "expected_head": "{sha}",
    },
    ("api-project-restorations", "POST"): {
        "commit": "{first_sha}",
        "message": "As it was",
        "expected_head": "{sha}",
    },
    ("api-project-imports", "POST"): {"address": "https://git.example.org/team/churn.git"},
    ("api-project-jobs", "POST"): {"name": "weekly", "script": "train.py"},
    ("api-job", "PATCH"): {"description": "changed"},
    ("api-job-runs", "POST"): {"parameters": {"depth": 4}},
    ("api-project-runs", "POST"): {"script": "train.py"},
    ("api-project-push-starts", "POST"): {"name": "on-main", "via": "git", "job": "nightly", "branch": "main"},
    ("api-push-start", "PATCH"): {"description": "changed"},
    ("api-run-cancellation", "POST"): {"reason": "no longer needed"},
    ("api-session-policy", "PUT"): {"records_commands": True},
    ("api-session-stop", "POST"): {"reason": "no longer needed"},
    ("api-session-commits", "POST"): {"message": "Work"},
    ("api-session-packages", "POST"): {"packages": ["six==1.17.0"]},
    ("api-project-applications", "POST"): {"name": "another", "command": "app.py"},
    ("api-application-visibility", "PUT"): {"is_public": True},
    ("api-application-viewers", "PUT"): {"lets_viewers_in": True},
    ("application-create", "POST"): {"name": "another", "command": "app.py"},
    ("application-visibility", "POST"): {"is_public": "yes"},
    ("application-viewers", "POST"): {"lets_viewers_in": "yes"},
    ("session-stop", "POST"): {"reason": "no longer needed"},
    ("session-commit", "POST"): {"message": "Work"},
    ("session-packages", "POST"): {"packages": "six==1.17.0"},
    ("session-policy", "POST"): {"records_commands": "on"},
    ("api-host-join", "POST"): {"token": "{join_token}", "name": "newcomer"},
    ("api-profiles", "POST"): {"name": "another", "cpu": 1, "memory_bytes": 2**30},
    ("api-profile", "PATCH"): {"gpus": 1},
    ("api-usage-rates", "PUT"): {"currency": "EUR", "cpu_hour": "0.04", "gib_hour": "0.005", "gpu_hour": "2.5"},
    ("usage-rates", "POST"): {"currency": "EUR", "cpu_hour": "0.04", "gib_hour": "0.005", "gpu_hour": "2.5"},
    ("api-model", "PATCH"): {"description": "changed"},
    ("api-model-alias", "PUT"): {"version": 2},
    ("api-project-endpoints", "POST"): {"name": "second"},
    ("api-deployments", "POST"): {"model_version": "{version_id}"},
    ("api-graph-deployments", "POST"): {"graph": "churn"},
    ("api-rollbacks", "POST"): {"reason": "worse than before", "deployment": "{deployment_id}"},
    ("api-endpoint", "PATCH"): {"retention_days": 30, "redacted_columns": ["tenure"]},
    ("api-endpoint-stop", "POST"): {"reason": "no longer needed"},
    ("api-endpoint-retirement", "POST"): {"reason": "no longer needed"},
    ("api-deployment-copies", "POST"): {"name": "copied"},
    ("api-replays", "POST"): {"model_version": "{replayed_version_id}"},
    ("api-replay-policy", "PATCH"): {"max_flip_rate": 0.1},
    ("api-drill-policy", "PATCH"): {"schedule": "30 4 * * 0"},
    ("api-golden-requests", "POST"): {"prediction_id": "{prediction_id}"},
    ("replay-start", "POST"): {"model_version": "{replayed_version_id}", "requests": "100"},
    ("replay-policy", "POST"): {
        "min_requests": "100",
        "min_rows": "30",
        "max_flip_rate": "5",
        "max_error_rate": "0",
        "numeric_tolerance": "1",
    },
    ("drill-policy", "POST"): {"schedule": "30 4 * * 0", "golden_requests": "20"},
    ("golden-requests", "POST"): {"prediction_id": "{prediction_id}"},
    ("endpoint-replicas", "POST"): {
        "min_replicas": "1",
        "max_replicas": "2",
        "target_concurrency": "16",
        "target_queue_ms": "100",
        "availability_target": "99.9",
    },
    ("api-endpoint-keys", "POST"): {"name": "warehouse"},
    ("api-feedback", "POST"): {"feedback": [{"prediction_id": "{prediction_id}", "truth": 1}]},
    ("api-prediction-feedback", "POST"): {"truth": 1},
    ("endpoint-feedback-upload", "POST"): {"file": Upload("truth.csv", b"response,truth\n1,0\n")},
    ("prediction-truth", "POST"): {"truth": "1"},
    ("api-project-batch-inputs", "POST"): {"name": "rows.csv", "content": "tenure\n3\n"},
    ("api-project-batch-jobs", "POST"): {
        "model_version": "{version_id}",
        "source": {"kind": "repository", "path": "requirements.txt"},
    },
    ("api-batch-job-cancellation", "POST"): {"reason": "no longer needed"},
    ("batch-start", "POST"): {
        "model_version": "{version_id}",
        "path": "requirements.txt",
        "output_format": "csv",
        "on_error": "record",
        "chunk_rows": "100",
    },
    ("batch-job-cancel", "POST"): {"reason": "no longer needed"},
    ("api-project-event-sinks", "POST"): {"name": "second", "url": "https://events.example.org/in"},
    ("api-workspace-event-sinks", "POST"): {"name": "second", "url": "https://events.example.org/in"},
    ("api-event-sink", "PATCH"): {"description": "changed"},
    ("workspace-event-sink-create", "POST"): {
        "name": "second",
        "url": "https://events.example.org/in",
        "mode": "batch",
        "families": "answer",
        "start": "newest",
    },
    ("event-sink-create", "POST"): {
        "name": "second",
        "url": "https://events.example.org/in",
        "mode": "batch",
        "families": "answer",
        "start": "newest",
    },
    ("event-sink-edit", "POST"): {"url": "https://events.example.org/in", "mode": "batch", "families": "answer"},
    ("host-add", "POST"): {"labels": "disk=ssd"},
    ("profile-create", "POST"): {"name": "another", "cpu": "1", "memory_gib": "1", "gpus": "0"},
    ("profile-edit", "POST"): {"cpu": "1", "memory_gib": "1", "gpus": "1"},
    ("login", "POST"): {"username": "viewer", "password": PASSWORD},
    ("password", "POST"): {"old": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD},
    ("person", "POST"): {"is_active": "on"},
    ("person-password", "POST"): {"password": "a long enough password 1"},
    ("person-create", "POST"): {"username": "newcomer", "password": "a long enough password 1"},
    ("token-create", "POST"): {"name": "another", "scope": "read", "days": "90"},
    ("workspace-create", "POST"): {"name": "another"},
    ("workspace-settings", "POST"): {"description": "changed"},
    ("workspace-members", "POST"): {"username": "target", "role": "admin"},
    ("data-connection-create", "POST"): {"name": "second", "config.url": "https://example.org/b"},
    ("data-connection", "POST"): {"config.url": "https://example.org/c"},
    ("project-create", "POST"): {"name": "second"},
    ("project-edit", "POST"): {"description": "changed"},
    ("project-file-edit", "POST"): {"content": "hello", "message": "Change", "expected_head": "{sha}"},
    ("project-file-delete", "POST"): {"message": "No longer needed", "expected_head": "{sha}"},
    ("project-file-rename", "POST"): {"new_path": "docs/README.md", "message": "Move", "expected_head": "{sha}"},
    ("project-restore", "POST"): {"message": "As it was", "expected_head": "{sha}"},
    ("project-upload", "POST"): {
        "uploads": Upload("notes.txt", b"hello"),
        "message": "Upload",
        "expected_head": "{sha}",
    },
    ("project-import", "POST"): {"address": "https://git.example.org/team/churn.git"},
    ("project-members", "POST"): {"username": "target", "role": "operator"},
    ("project-variables", "POST"): {"name": "THRESHOLD", "value": "2"},
    ("project-variable-edit", "POST"): {"value": "2"},
    ("job-create", "POST"): {"name": "weekly", "script": "train.py"},
    ("push-start-create", "POST"): {"name": "on-main", "via": "git", "job": "nightly", "branch": "main"},
    ("push-start-edit", "POST"): {"job": "nightly", "branch": "main"},
    ("job-edit", "POST"): {"script": "train.py"},
    ("run-start", "POST"): {"script": "train.py"},
    ("run-cancel", "POST"): {"reason": "no longer needed"},
    ("model-edit", "POST"): {"description": "changed"},
    ("model-alias-set", "POST"): {"alias": "champion", "version": "2"},
    ("api-model-version-card", "PUT"): {"sections": {"purpose": "Whom to call first."}},
    ("api-model-version-promotions", "POST"): {"stage": "staging"},
    ("api-project-approval-policy", "PUT"): {"production": ["tests"]},
    ("api-promotion-approval", "POST"): {"override": True, "reason": "The old one is down."},
    ("api-promotion-refusal", "POST"): {"reason": "It lacks a card."},
    ("api-promotion-withdrawal", "POST"): {},
    ("api-promotion-revocation", "POST"): {"reason": "It counts wrongly."},
    ("api-consent-decision", "POST"): {"decision": "refuse", "reason": "It is not tested."},
    ("consent-decide", "POST"): {"decision": "withdraw"},
    ("api-consent-revocation", "POST"): {"reason": "It refuses too many."},
    ("consent-revoke", "POST"): {"reason": "It refuses too many."},
    ("api-endpoint-consents", "POST"): {
        "kind": "rule",
        "rule": {"when": [{"column": "tenure", "below": 1}], "then": {"prediction": 0}, "otherwise": {"prediction": 1}},
        "reason": "simple",
    },
    ("endpoint-consent", "POST"): {
        "what": "rule",
        "rule": "when: [{column: tenure, below: 2}]\nthen: {prediction: 0}\notherwise: {prediction: 1}",
        "reason": "simple",
    },
    ("promotion-approve", "POST"): {"override": "on", "reason": "The old one is down."},
    ("promotion-refuse", "POST"): {"reason": "It lacks a card."},
    ("promotion-revoke", "POST"): {"reason": "It counts wrongly."},
    ("promotion-request", "POST"): {"stage": "staging"},
    ("model-version-card-edit", "POST"): {"revision": "0", "purpose": "Whom to call first."},
    ("project-approval-policy", "POST"): {"production": ["tests"]},
    ("api-rollouts", "POST"): {"model_version": "{other_version_id}"},
    ("api-rollout-pause", "POST"): {},
    ("api-rollout-advance", "POST"): {"reason": "It is well known."},
    ("api-rollout-stop", "POST"): {"reason": "It is too slow."},
    ("rollout-start", "POST"): {"model_version": "{other_version_id}", "strategy": "canary", "min_requests": "20"},
    ("rollout-advance", "POST"): {"reason": "It is well known."},
    ("rollout-stop", "POST"): {"reason": "It is too slow."},
    ("endpoint-create", "POST"): {"name": "second"},
    ("endpoint-deploy", "POST"): {"model_version": "{version_id}"},
    ("endpoint-graph-deploy", "POST"): {"graph": "churn"},
    ("endpoint-routing", "POST"): {
        "seen": "{other_id}",
        "reason": "each client keeps its version",
        "pins_header": "on",
    },
    ("endpoint-rollback", "POST"): {"deployment": "{deployment_id}", "reason": "worse than before"},
    ("endpoint-settings", "POST"): {"stage": "lab", "serving_path": "auto", "retention_days": "30"},
    ("endpoint-stop", "POST"): {"reason": "no longer needed"},
    ("endpoint-key-create", "POST"): {"name": "warehouse"},
    ("endpoint-try", "POST"): {"tenure": "3"},
}

# What reading routes cannot do without.
QUERIES: dict[str, dict[str, str]] = {
    "git-references": {"service": "git-upload-pack"},
    "api-project-files": {"path": "README.md"},
    "api-run-metric-history": {"key": "accuracy"},
    "project-files": {"path": "README.md"},
    "project-file-download": {"path": "README.md"},
    "project-file-edit": {"path": "README.md"},
    "project-file-delete": {"path": "README.md"},
    "project-file-rename": {"path": "README.md"},
    "api-project-comparison": {"base": "start"},
    "project-compare": {"base": "start"},
    "project-restore": {"commit": "start"},
    "data-connection-create": {"kind": "http"},
    "run-chart": {"key": "accuracy"},
    "batch-start": {"source": "repository"},
}

# Values of variables in addresses that mean something else here than elsewhere.
VALUES: dict[str, dict[str, str]] = {
    "git-references": {"workspace": "acme", "project": "churn"},
    "git-fetch": {"workspace": "acme", "project": "churn"},
    "git-push": {"workspace": "acme", "project": "churn"},
    "api-session": {"session_id": "{ended_session_id}"},
    "api-session-resume": {"session_id": "{ended_session_id}"},
    "session-resume": {"session_id": "{ended_session_id}"},
    "session-delete": {"session_id": "{ended_session_id}"},
    "api-event-sink-resume": {"sink_id": "{paused_sink_id}"},
    "event-sink-resume": {"sink_id": "{paused_sink_id}"},
    "api-batch-job-retries": {"batch_id": "{ended_batch_id}"},
    "api-batch-job-chunks": {"batch_id": "{done_batch_id}"},
    "api-batch-job-predictions": {"batch_id": "{done_batch_id}"},
    "api-batch-job-output": {"batch_id": "{done_batch_id}"},
    "batch-job": {"batch_id": "{done_batch_id}"},
    "batch-job-output": {"batch_id": "{done_batch_id}"},
    "batch-job-retry": {"batch_id": "{ended_batch_id}"},
    "api-model-version-retries": {"version_id": "{failed_version_id}"},
    "model-version-retry": {"version_id": "{failed_version_id}"},
    "api-replay-cancellation": {"replay_id": "{running_replay_id}"},
    "replay-cancel": {"replay_id": "{running_replay_id}"},
    "api-promotion-revocation": {"promotion_id": "{approved_promotion_id}"},
    "promotion-revoke": {"promotion_id": "{approved_promotion_id}"},
    "api-consent-revocation": {"consent_id": "{given_consent_id}"},
    "consent-revoke": {"consent_id": "{given_consent_id}"},
    "api-rollout-resume": {"rollout_id": "{paused_rollout_id}"},
    "rollout-resume": {"rollout_id": "{paused_rollout_id}"},
    "api-deployment-differences": {"other_id": "{deployment_id}"},
    "api-model-version-tests": {"version_id": "{tested_version_id}"},
    "api-model-version-card-revisions": {"version_id": "{tested_version_id}"},
    "model-version-tests": {"version_id": "{tested_version_id}"},
}

# Nobody succeeds in the matrix, because it would take MLflow's server or the gateway: tests/jobs and tests/endpoints
# do it with real ones. Whoever may see the run is told that `path` is missing (422), and whoever may not finds nothing.
# What scoring processes ask takes the token of a batch job, which no person has: tests/batch.
SUCCEEDS_ELSEWHERE = {"api-run-artifact GET", "run-artifact GET", "endpoint-try POST", "metrics GET"} | {
    f"scoring-{what}"
    for what in ("job GET", "input GET", "total POST", "chunk GET", "chunk POST", "output POST", "end POST")
}
# What a Git server posts is signed: tests/jobs.
SUCCEEDS_ELSEWHERE |= {"push-hook POST"}
# What a session asks takes its own token: tests/sessions.
SUCCEEDS_ELSEWHERE |= {
    "session-git-references GET",
    "session-git-fetch POST",
    "session-git-push POST",
    "session-agent-beat POST",
    "session-agent-commands POST",
    "session-agent-reads POST",
    "session-agent-runs GET",
}


def filled(template: Any, values: dict[str, Any]) -> Any:
    """The template with each text such as "{sha}" replaced by the value of that name."""
    if isinstance(template, dict):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values) for value in template]
    if isinstance(template, str) and template.startswith("{") and template.endswith("}"):
        return str(values[template[1:-1]])
    return template
