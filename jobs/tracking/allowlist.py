"""Which of MLflow's addresses may be called, and what each call needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from modelwright.core.errors import NotFound, PermissionRefused, PlatformError, ValidationFailed


class Access(StrEnum):
    """What a caller must be allowed to do in the project."""

    READ = "read"
    TRACK = "track"
    REGISTER = "register"


class Body(StrEnum):
    """How the proxy treats the body of a request."""

    NONE = "none"
    JSON = "json"
    """Passed on as it comes, up to a limit."""
    CHECKED = "checked"
    """Parsed, checked by a rule in `bodies.py`, written again."""
    STREAM = "stream"
    """An artifact: passed on piece by piece."""


@dataclass(frozen=True, slots=True)
class Route:
    """An address that may be called. `check` names the rule in `bodies.py` for a CHECKED body."""

    access: Access
    body: Body
    check: str = ""


_READ_GET = Route(Access.READ, Body.NONE)
_READ_POST = Route(Access.READ, Body.JSON)
_TRACK = Route(Access.TRACK, Body.JSON)
_REGISTER = Route(Access.REGISTER, Body.JSON)

_SEGMENT = r"[A-Za-z0-9_\-\.:=%]+"
_V2 = "/api/2.0/mlflow"
_V3 = "/api/3.0/mlflow"
# Artifacts have their names below this.
FILES = "/api/2.0/mlflow-artifacts/artifacts"

_EXACT: Mapping[tuple[str, str], Route] = {
    ("GET", "/version"): _READ_GET,
    ("GET", f"{_V3}/server-info"): _READ_GET,
    ("POST", f"{_V2}/experiments/create"): _TRACK,
    ("GET", f"{_V2}/experiments/get"): _READ_GET,
    ("GET", f"{_V2}/experiments/get-by-name"): _READ_GET,
    ("GET", f"{_V2}/experiments/search"): _READ_GET,
    ("POST", f"{_V2}/experiments/search"): _READ_POST,
    ("POST", f"{_V2}/experiments/set-experiment-tag"): _TRACK,
    ("POST", f"{_V2}/experiments/delete-experiment-tag"): _TRACK,
    ("POST", f"{_V2}/runs/create"): Route(Access.TRACK, Body.CHECKED, "run"),
    ("GET", f"{_V2}/runs/get"): _READ_GET,
    ("POST", f"{_V2}/runs/search"): _READ_POST,
    ("POST", f"{_V2}/runs/update"): _TRACK,
    ("POST", f"{_V2}/runs/log-batch"): Route(Access.TRACK, Body.CHECKED, "tags"),
    ("POST", f"{_V2}/runs/log-inputs"): _TRACK,
    ("POST", f"{_V2}/runs/log-metric"): _TRACK,
    ("POST", f"{_V2}/runs/log-model"): _TRACK,
    ("POST", f"{_V2}/runs/log-parameter"): _TRACK,
    ("POST", f"{_V2}/runs/outputs"): _TRACK,
    ("POST", f"{_V2}/runs/set-tag"): Route(Access.TRACK, Body.CHECKED, "tag"),
    ("POST", f"{_V2}/runs/delete-tag"): Route(Access.TRACK, Body.CHECKED, "tag"),
    ("GET", f"{_V2}/metrics/get-history"): _READ_GET,
    ("GET", f"{_V2}/metrics/get-history-bulk-interval"): _READ_GET,
    ("GET", f"{_V2}/artifacts/list"): _READ_GET,
    ("GET", FILES): _READ_GET,
    ("POST", f"{_V2}/logged-models"): _TRACK,
    ("POST", f"{_V2}/logged-models/search"): _READ_POST,
    ("POST", f"{_V2}/registered-models/create"): _REGISTER,
    ("GET", f"{_V2}/registered-models/get"): _READ_GET,
    ("GET", f"{_V2}/registered-models/search"): _READ_GET,
    ("GET", f"{_V2}/registered-models/get-latest-versions"): _READ_GET,
    ("POST", f"{_V2}/registered-models/get-latest-versions"): _READ_POST,
    ("PATCH", f"{_V2}/registered-models/update"): _REGISTER,
    ("POST", f"{_V2}/registered-models/set-tag"): _REGISTER,
    ("DELETE", f"{_V2}/registered-models/delete-tag"): _REGISTER,
    ("GET", f"{_V2}/registered-models/alias"): _READ_GET,
    ("POST", f"{_V2}/registered-models/alias"): Route(Access.REGISTER, Body.CHECKED, "alias"),
    ("DELETE", f"{_V2}/registered-models/alias"): Route(Access.REGISTER, Body.CHECKED, "alias"),
    ("POST", f"{_V2}/model-versions/create"): Route(Access.REGISTER, Body.CHECKED, "stamped"),
    ("GET", f"{_V2}/model-versions/get"): _READ_GET,
    ("GET", f"{_V2}/model-versions/get-download-uri"): _READ_GET,
    ("GET", f"{_V2}/model-versions/search"): _READ_GET,
    ("PATCH", f"{_V2}/model-versions/update"): _REGISTER,
    ("POST", f"{_V2}/model-versions/set-tag"): Route(Access.REGISTER, Body.CHECKED, "tag"),
    ("DELETE", f"{_V2}/model-versions/delete-tag"): Route(Access.REGISTER, Body.CHECKED, "tag"),
    ("POST", f"{_V3}/traces"): _TRACK,
    ("POST", f"{_V3}/traces/search"): _READ_POST,
    ("POST", f"{_V3}/traces/batchGetInfos"): _READ_POST,
    ("GET", f"{_V3}/traces/batchGet"): _READ_GET,
    ("GET", f"{_V3}/traces/get"): _READ_GET,
    ("POST", f"{_V2}/traces/link-to-run"): _TRACK,
}

_PATTERNS: tuple[tuple[str, re.Pattern[str], Route], ...] = tuple(
    (method, re.compile(pattern), route)
    for method, pattern, route in (
        ("GET", rf"{FILES}/.+", _READ_GET),
        ("PUT", rf"{FILES}/.+", Route(Access.TRACK, Body.STREAM)),
        ("GET", rf"{_V2}/logged-models/{_SEGMENT}", _READ_GET),
        ("PATCH", rf"{_V2}/logged-models/{_SEGMENT}", _TRACK),
        ("GET", rf"{_V2}/logged-models/{_SEGMENT}/artifacts/directories", _READ_GET),
        ("POST", rf"{_V2}/logged-models/{_SEGMENT}/params", _TRACK),
        ("PATCH", rf"{_V2}/logged-models/{_SEGMENT}/tags", _TRACK),
        ("DELETE", rf"{_V2}/logged-models/{_SEGMENT}/tags/{_SEGMENT}", _TRACK),
        ("GET", rf"{_V3}/traces/{_SEGMENT}", _READ_GET),
        ("PATCH", rf"{_V3}/traces/{_SEGMENT}/tags", _TRACK),
        ("DELETE", rf"{_V3}/traces/{_SEGMENT}/tags", _TRACK),
        ("POST", rf"{_V3}/traces/{_SEGMENT}/assessments", _TRACK),
    )
)

_ON_RECORD = PermissionRefused(
    "Runs, experiments, registered models and their versions stay on record: they cannot be deleted, renamed or moved "
    "through the tracking address.",
    remedy="Log a new run or register a new version instead.",
)
_REFUSED = re.compile(
    rf"{_V2}/(runs|experiments)/(delete|restore|update)"
    rf"|{_V2}/(registered-models|model-versions)/(delete|rename|transition-stage)"
    rf"|{_V2}/logged-models/{_SEGMENT}"
    rf"|{FILES}/.+"
)
_ESCAPES = re.compile(r"%(2e|2f|5c|25|0[0-9a-f]|1[0-9a-f]|7f)", re.IGNORECASE)
_MAX_PATH = 2048


def find_route(method: str, raw_path: str) -> Route:
    """The route of a raw (still percent-encoded) path below `/mlflow`.

    Raises ValidationFailed for a path that could mean two things, PermissionRefused for what governance forbids, and
    NotFound for everything that is not on the list.
    """
    check_path(raw_path)
    route = _EXACT.get((method, raw_path))
    if route is not None:
        return route
    for allowed, pattern, candidate in _PATTERNS:
        if allowed == method and pattern.fullmatch(raw_path):
            return candidate
    if method != "GET" and _REFUSED.fullmatch(raw_path):
        raise _ON_RECORD
    raise not_offered(method, raw_path)


def check_path(raw_path: str) -> None:
    """Raise ValidationFailed where MLflow might read the path otherwise than the proxy does."""
    segments = raw_path.split("/")[1:]
    if (
        len(raw_path) > _MAX_PATH
        or not raw_path.startswith("/")
        or not raw_path.isascii()
        or _ESCAPES.search(raw_path)
        or "\\" in raw_path
        or ";" in raw_path
        or any(segment in ("", ".", "..") for segment in segments)
    ):
        raise ValidationFailed(
            "The path of this call has encoded dots, slashes, percent signs or control characters, or empty or "
            "relative segments.",
            remedy="Use artifact names without `..`, backslashes, semicolons, percent signs and double slashes.",
        )


def not_offered(method: str, path: str) -> PlatformError:
    """The answer to a call that is not on the list."""
    return NotFound(
        f"{method} {path[:200]} is not offered here: Modelwright passes on tracking, artifacts and registration only.",
        remedy="Use the pages or the REST API of Modelwright for everything else.",
    )
