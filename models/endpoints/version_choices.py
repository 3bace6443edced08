"""Versions to choose from in a form, told apart by what the endpoint's stage says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from models.approvals.gates import approved_of
from models.approvals.selectors import lacking, standing
from models.approvals.stages import words_of
from models.endpoints.models import Endpoint
from models.registry.models import ModelVersion


def label_of(version: ModelVersion) -> str:
    """Its name, and by which algorithm it is where that is known."""
    what = version.algorithm_name or version.flavor
    return f"{version} ({what})" if what else str(version)


def choices_for(endpoint: Endpoint, versions: Sequence[ModelVersion]) -> list[Any]:
    """The choices of a field; at an endpoint of staging or production in two groups: those that are approved for it,
    and those that the gate refuses."""
    if endpoint.stage == Endpoint.Stage.LAB:
        return _flat(versions)
    approved = approved_of(versions, endpoint.stage)
    groups = [
        (f"Approved for {endpoint.stage}", _flat(each for each in versions if each.pk in approved)),
        (f"Not approved for {endpoint.stage}", _flat(each for each in versions if each.pk not in approved)),
    ]
    return [(name, choices) for name, choices in groups if choices]


def why_refused(endpoint: Endpoint, versions: Sequence[ModelVersion], chosen: str = "") -> str:
    """What a person should know before they choose; of the `chosen` one, what it lacks."""
    if endpoint.stage == Endpoint.Stage.LAB:
        return ""
    words = f"{endpoint.name} is an endpoint of {endpoint.stage}, so a version that is not approved for it is refused."
    version = next((each for each in versions if str(each.pk) == chosen), None)
    if version is None or approved_of([version], endpoint.stage):
        return words
    missing = ", ".join(words_of(kind) for kind in lacking(standing(version, endpoint.stage)))
    lacks = f" has not passed yet: {missing}." if missing else " has passed its checks, and its approval is missing."
    return f"{words} {version}{lacks} See `/model-versions/{version.pk}/approval/`."


def _flat(versions: Iterable[ModelVersion]) -> list[tuple[str, str]]:
    return [(str(version.pk), label_of(version)) for version in versions]
