"""What is different between two deployments: their versions and how requests are spread, and what the versions are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.endpoints.models import Deployment, DeploymentTarget
from models.registry.models import ModelVersion

MAX_VALUE = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is not the same, as text; empty where one of the two does not have it."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Section:
    """A group of things that were compared; without rows they are the same."""

    name: str
    rows: tuple[Row, ...]


def differences(before: Deployment, after: Deployment) -> list[Section]:
    """All sections in their order. The caller may see the endpoint, and has the deployments with their targets."""
    first, second = _main(before), _main(after)
    found = [
        _section("Versions", _targets(before), _targets(after)),
        _section("Routing", _flat(before.routing), _flat(after.routing)),
        _section("Fallback", _flat(before.fallback or {}), _flat(after.fallback or {})),
        _section("Graph", _flat(before.graph or {}), _flat(after.graph or {})),
    ]
    for name, facts in _ABOUT.items():
        found.append(_section(name, facts(first) if first else {}, facts(second) if second else {}))
    return found


def _main(deployment: Deployment) -> ModelVersion | None:
    """The version that answers most; of equals, and in a graph, the first."""
    targets = sorted(deployment.targets.all(), key=lambda target: (-target.weight, target.pk))
    return targets[0].model_version if targets else None


def _section(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> Section:
    names = [*before, *(each for each in after if each not in before)]
    rows = (Row(each, before.get(each, ""), after.get(each, "")) for each in names)
    return Section(name, tuple(row for row in rows if row.before != row.after))


def _targets(deployment: Deployment) -> dict[str, str]:
    return {str(target.model_version): _share(target) for target in deployment.targets.all()}


def _share(target: DeploymentTarget) -> str:
    role = target.get_role_display().lower()
    return f"{role}, weight {target.weight}" if target.weight else role


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """Every value in nested objects and lists by its path."""
    return dict(_leaves(value, path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    elif path:
        yield path, _text(value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


def _model(version: ModelVersion) -> dict[str, str]:
    facts = {
        "algorithm": version.algorithm_name,
        "flavour": version.flavor,
        "size": f"{version.size} bytes",
        "files": version.manifest_digest,
        "trained part": version.artifact_digest,
        "run": version.source_run_id.hex if version.source_run_id else version.mlflow_run_id,
    }
    return {name: value for name, value in facts.items() if value}


def _signature(version: ModelVersion) -> dict[str, str]:
    found: dict[str, str] = {}
    for side in ("inputs", "outputs"):
        columns = (version.signature or {}).get(side) or []
        for index, column in enumerate(columns):
            name = str(column.get("name", index)) if isinstance(column, dict) else str(index)
            found[f"{side} {name}"] = _text(column)
    return found


def _requirements(version: ModelVersion) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in map(str.strip, version.requirements.splitlines()):
        if line and not line.startswith("#"):
            name = line.split(";")[0].split("[")[0]
            for sign in ("==", ">=", "<=", "~=", "!=", ">", "<", "@"):
                name = name.split(sign)[0]
            found[name.strip() or line] = line
    return found


def _environment(version: ModelVersion) -> dict[str, str]:
    request = version.environment_request
    environment = request.environment if request else None
    facts = {
        "Python": environment.python_version if environment else version.python_version,
        "lock": environment.lock_digest if environment else "",
    }
    return {name: value for name, value in facts.items() if value}


_ABOUT = {
    "Model": _model,
    "Parameters": lambda version: _flat(version.parameters),
    "Metrics": lambda version: _flat(version.metrics),
    "Signature": _signature,
    "Requirements": _requirements,
    "Environment": _environment,
}
