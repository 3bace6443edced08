"""By which path a prediction was answered: which files, and in which environment."""

from __future__ import annotations

from typing import NamedTuple

from models.registry.models import CompiledModel, FormerCompiledModel, ModelVersion
from modelwright.compute.models import EnvironmentRequest

ORIGINAL, COMPILED, GRAPH = "original", "onnx:", "graph:"


class Path(NamedTuple):
    """What answered: the manifest of its files and their size, and what it ran in. `is_compiled` is not the model
    itself but what was compiled from it and proved equal."""

    is_compiled: bool
    manifest_digest: str
    size: int
    environment_request: EnvironmentRequest | None


def path_of(served_by: str, version: ModelVersion) -> Path | None:
    """The path that `served_by` of a prediction names, whether it still answers or not; None where there was none."""
    if served_by == ORIGINAL:
        return Path(False, version.manifest_digest, version.size, version.environment_request)
    digest = served_by.removeprefix(COMPILED)
    if not digest or digest == served_by:
        return None
    for table in (CompiledModel, FormerCompiledModel):
        found = table.objects.filter(version=version, manifest_digest=digest)
        compiled = found.select_related("environment_request__environment").first()
        if compiled is not None:
            return Path(True, compiled.manifest_digest, compiled.size, compiled.environment_request)
    return None
