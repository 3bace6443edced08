"""Checks of JSON bodies: what a client may not say about a run, and which aliases it may not touch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from jobs.tracking.aliases import is_protected
from modelwright.core.errors import PermissionRefused, ValidationFailed

RESERVED_TAGS = "modelwright."
_NO_EXPERIMENT = "0"

Fields = dict[str, Any]
Stamp = Mapping[str, str]


def rewrite(check: str, body: bytes, stamp: Stamp) -> bytes:
    """Return `body` as it may go on to MLflow after the rule called `check`.

    The result is written from what was parsed, so that MLflow cannot read it otherwise than the rule did. `stamp` are
    the tags that a new run or version gets. Raises ValidationFailed and PermissionRefused.
    """
    fields = _parse(body)
    CHECKS[check](fields, stamp)
    return json.dumps(fields).encode()


def _parse(body: bytes) -> Fields:
    try:
        fields = json.loads(body or b"{}")
        if isinstance(fields, str):
            # MLflow decodes such bodies a second time, for old clients.
            fields = json.loads(fields)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ValidationFailed("The body is not a JSON object.", remedy="Use an MLflow client from 2.0 on.")
    return fields


def _check_tag_key(key: object) -> None:
    if isinstance(key, str) and key.strip().lower().startswith(RESERVED_TAGS):
        raise PermissionRefused(
            f"The tag {key[:100]!r} cannot be set or deleted by a client: the platform writes tags that begin with "
            f"`{RESERVED_TAGS}`.",
            remedy="Choose another name for the tag.",
        )


def _tag_list(fields: Fields) -> list[Any]:
    tags = fields.get("tags")
    if tags is None:
        return []
    if not isinstance(tags, list):
        raise ValidationFailed("`tags` is not a list.", field="tags")
    return tags


def _check_tags(fields: Fields, _: Stamp) -> None:
    for tag in _tag_list(fields):
        if isinstance(tag, dict):
            _check_tag_key(tag.get("key"))


def _check_one_tag(fields: Fields, _: Stamp) -> None:
    _check_tag_key(fields.get("key"))


def _stamped(fields: Fields, stamp: Stamp) -> None:
    _check_tags(fields, stamp)
    fields["tags"] = [*_tag_list(fields), *({"key": key, "value": value} for key, value in stamp.items())]


def _run(fields: Fields, stamp: Stamp) -> None:
    # What a client sends for which nobody chose one; a project has no such experiment.
    if str(fields.get("experiment_id") or _NO_EXPERIMENT) == _NO_EXPERIMENT:
        raise ValidationFailed(
            "No experiment is chosen, in which the run would be.",
            remedy="Set MLFLOW_EXPERIMENT_NAME, or call mlflow.set_experiment, with a name of yours; it may be new.",
        )
    _stamped(fields, stamp)


def _check_alias(fields: Fields, _: Stamp) -> None:
    alias = fields.get("alias")
    if isinstance(alias, str) and is_protected(alias):
        raise PermissionRefused(
            f"The alias {alias[:50]!r} is protected: it is not set or removed through the tracking address.",
            remedy="Use another alias such as `champion`, or have the version approved for the stage on the platform.",
        )


CHECKS: Mapping[str, Callable[[Fields, Stamp], None]] = {
    "run": _run,
    "stamped": _stamped,
    "tags": _check_tags,
    "tag": _check_one_tag,
    "alias": _check_alias,
}
