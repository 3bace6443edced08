"""What scripts ask of the platform: the runs of their project, and versions to register."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = 30
_MLFLOW = "/api/2.0/mlflow"


class PlatformError(Exception):
    """The platform refuses, or does not answer; the message says why."""


@dataclass(frozen=True)
class Run:
    """A run of the project. `facts` is everything that the REST API says of it."""

    id: str
    name: str
    number: int
    state: str
    commit: str
    parameters: Mapping[str, Any]
    facts: Mapping[str, Any]


def runs() -> list[Run]:
    """The newest runs of the project, at most a hundred. In a session only. Raises LookupError elsewhere."""
    url = os.environ.get("MODELWRIGHT_URL")
    token = os.environ.get("MODELWRIGHT_SESSION_TOKEN")
    if not url or not token:
        raise LookupError("This is no session. Elsewhere ask the REST API: GET /api/v1/projects/<id>/runs/.")
    found = _ask(f"{url}/session-agent/runs/", token)["results"]
    return [
        Run(one["id"], one["name"], one["number"], one["state"], one["commit"], one["parameters"], one) for one in found
    ]


def register(source: str, name: str, *, description: str = "") -> int:
    """Register what was logged under `source` (`runs:/<id>/model` or `models:/<id>`) as a version of the model `name`.

    Returns its number. The model is made where there is none of that name. Raises PlatformError, and LookupError where
    nothing says how to reach MLflow.
    """
    url = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    if not url or not token:
        raise LookupError("MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN are not set. In runs and sessions they are.")
    try:
        _ask(f"{url}{_MLFLOW}/registered-models/create", token, {"name": name})
    except PlatformError as error:
        if "RESOURCE_ALREADY_EXISTS" not in str(error):
            raise
    body = {"name": name, "source": source, "description": description}
    if source.startswith("runs:/"):
        body["run_id"] = source.removeprefix("runs:/").partition("/")[0]
    made = _ask(f"{url}{_MLFLOW}/model-versions/create", token, body)
    return int(made["model_version"]["version"])


def _ask(url: str, token: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    # Every process of a run imports this package, and few of them ask anything: the import takes 30 ms.
    import urllib.error
    import urllib.request

    request = urllib.request.Request(  # noqa: S310 - the platform's own address
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - the same
            return dict(json.loads(answer.read() or b"{}"))
    except urllib.error.HTTPError as error:
        raise PlatformError(error.read().decode(errors="replace")[:1000]) from error
    except (OSError, ValueError) as error:
        raise PlatformError(str(error)) from error
