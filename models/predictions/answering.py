"""By which path a prediction was answered: which files, and in which environment."""

from __future__ import annotations

from typing import NamedTuple

from models.registry.models import CompiledModel, ModelVersion
from modelwright.compute.models import EnvironmentRequest

ORIGINAL = "original"


class Path(NamedTuple):
    """What answered: the manifest of its files and their size, and what it ran in. `is_compiled` is not the model
    itself but what was compiled from it and proved equal."""

    is_compiled: bool
    manifest_digest: str
    size: int
    environment_request: EnvironmentRequest | None


def path_of(served_by: str, version: ModelVersion) -> Path | None:
    """The path that `served_by` of a prediction names; None where it is not there any more, or never was."""
    if served_by == ORIGINAL:
        return Path(False, version.manifest_digest, version.size, version.environment_request)
    made = CompiledModel.objects.filter(version=version, state="equal").select_related(
        "environment_request__environment"
    )
    compiled = made.first()
    if compiled is None or compiled.served_by != served_by:
        return None
    return Path(True, compiled.manifest_digest, compiled.size, compiled.environment_request)
