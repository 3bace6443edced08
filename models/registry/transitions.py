"""The only code that writes the state of a version. False means that somebody else was first."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from models.registry.models import CompiledModel, ModelVersion
from models.registry.states import COMPILED, VERSION
from modelwright.core.states import move


def _move(version: ModelVersion, to: str, **changes: Any) -> bool:
    return move(ModelVersion.objects.filter(pk=version.pk), machine=VERSION, to=to, **changes)


def refuse(version: ModelVersion, *, detail: str) -> bool:
    """It is not the project's to register."""
    return _move(version, "refused", detail=detail)


def fail(version: ModelVersion, *, detail: str) -> bool:
    """Its files could not be taken over or opened."""
    return _move(version, "failed", detail=detail)


def make_ready(version: ModelVersion, *, algorithm: dict[str, Any], algorithm_name: str) -> bool:
    """It was opened in its own environment and may be deployed."""
    return _move(version, "ready", detail="", algorithm=algorithm, algorithm_name=algorithm_name)


def retry(version: ModelVersion) -> bool:
    """Take over or open it again."""
    return _move(version, "importing", detail="", inspection=None)


def _move_compiled(compiled: CompiledModel, to: str, **changes: Any) -> bool:
    return move(CompiledModel.objects.filter(pk=compiled.pk), machine=COMPILED, to=to, **changes)


def compile_again(compiled: CompiledModel) -> bool:
    """A person wants another try."""
    changes = {"reason": "", "proof": {}, "manifest_digest": "", "size": 0, "environment_request": None}
    return _move_compiled(compiled, "pending", workload=None, ended_at=None, **changes)


def compiling(compiled: CompiledModel, *, workload: Any) -> bool:
    """Its workload is queued."""
    return _move_compiled(compiled, "compiling", workload=workload)


def conclude(compiled: CompiledModel, verdict: str, **facts: Any) -> bool:
    """`verdict` is equal, different, impossible or failed."""
    return _move_compiled(compiled, verdict, ended_at=timezone.now(), **facts)
