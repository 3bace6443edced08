"""What a deployment may consist of: targets with weights and roles, a routing, a fallback, a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from models.endpoints.models import DeploymentTarget, Endpoint, EndpointKey
from models.gateway.fallbacks import RULE, VERSION, parse_fallback
from models.gateway.routing import COLUMN, Routing, RoutingError, parse_routing
from models.gateway.rules import RuleError
from models.registry.mlmodel import served_signature
from models.registry.models import ModelVersion
from modelwright.core.errors import Conflict, ValidationFailed

Role = DeploymentTarget.Role
WEIGHTED = (Role.LIVE, Role.CANARY)
MAX_TARGETS = 50
MAX_WEIGHT = 1_000_000


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """One version of a deployment that is asked for. `weight` counts for the roles `live` and `canary` alone."""

    model_version: ModelVersion
    weight: int = 100
    role: str = Role.LIVE


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a deployment shall be, checked, as its row keeps it."""

    targets: tuple[TargetRequest, ...]
    routing: dict[str, Any]
    fallback: dict[str, Any] | None
    graph: dict[str, Any] | None


def checked(
    endpoint: Endpoint,
    *,
    targets: Sequence[TargetRequest],
    routing: Mapping[str, Any] | None = None,
    fallback: Mapping[str, Any] | None = None,
    graph: Mapping[str, Any] | None = None,
    may_stand_by: bool = False,
) -> Wanted:
    """What is asked for, if it can be deployed to the endpoint. `may_stand_by`: nodes may have no graph, so that their
    replicas start and nobody asks them. Raises ValidationFailed, Conflict for a version that is not ready."""
    found = _targets(endpoint, targets)
    _check_shape(found, fallback=fallback, graph=graph, may_stand_by=may_stand_by)
    return Wanted(
        found,
        _routing(endpoint, found, routing),
        _fallback(found, fallback),
        dict(graph) if graph else None,
    )


def check_version(endpoint: Endpoint, version: ModelVersion) -> None:
    """Raise ValidationFailed for another project's version, Conflict for one that is not ready."""
    if version.model.project_id != endpoint.project_id:
        raise ValidationFailed(
            f"{version} is not of the endpoint's project.",
            remedy="Choose a version of a model in the same project.",
            field="model_version",
        )
    if version.state != "ready":
        raise Conflict(
            f"{version} is {version.get_state_display().lower()}, not ready.",
            remedy="Wait until it is ready, or choose another version.",
            field="model_version",
        )


def _targets(endpoint: Endpoint, targets: Sequence[TargetRequest]) -> tuple[TargetRequest, ...]:
    if not 1 <= len(targets) <= MAX_TARGETS:
        raise _wrong(f"A deployment has 1 to {MAX_TARGETS} versions, not {len(targets)}.", "Name them.")
    for target in targets:
        check_version(endpoint, target.model_version)
        if target.role not in Role.values:
            raise _wrong(f"There is no role {target.role!r}.", f"Give one of {', '.join(Role.values)}.")
        if not 0 <= target.weight <= MAX_WEIGHT:
            raise _wrong(f"{target.weight} is no weight.", f"Give a whole number from 0 to {MAX_WEIGHT}.")
    if len({target.model_version.pk for target in targets}) < len(targets):
        raise _wrong("A version is named twice.", "Give each version one role and one weight.")
    return tuple(target if target.role in WEIGHTED else replace(target, weight=0) for target in targets)


def _check_shape(targets: Sequence[TargetRequest], *, fallback: Any, graph: Any, may_stand_by: bool) -> None:
    roles = [target.role for target in targets]
    if graph:
        if Role.NODE not in roles or any(role in WEIGHTED for role in roles):
            raise _wrong("A graph is answered by its nodes alone.", "Give its versions the role node.")
    elif Role.NODE in roles and not may_stand_by:
        raise _wrong("A version is a node, and there is no graph.", "Give the graph, or another role.")
    elif not any(target.weight for target in targets):
        raise _wrong("No version takes requests.", "Give at least one that is live or canary a weight.")
    stands_in = bool(fallback) and isinstance(fallback, Mapping) and fallback.get("kind") == VERSION
    if roles.count(Role.FALLBACK) != int(stands_in):
        raise _wrong(
            "A fallback that is a version has one target with the role fallback, and no other fallback has any.",
            "Give it one, or leave the fallback out.",
            field="fallback",
        )


def _routing(endpoint: Endpoint, targets: Sequence[TargetRequest], routing: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        parsed = parse_routing(dict(routing or {}))
    except RoutingError as error:
        raise _wrong(f"The routing cannot be used: {error}.", "See docs/rollouts.md.", field="routing") from None
    _check_pins(endpoint, targets, parsed)
    assign = parsed.assign
    if assign is not None and assign.by == COLUMN:
        _check_columns(targets, {assign.name}, "routing")
    return dict(routing or {})


def without_lost_pins(
    endpoint: Endpoint, routing: Mapping[str, Any], targets: Sequence[TargetRequest]
) -> dict[str, Any]:
    """A deployment's routing for other targets: pins go whose version does not answer among them, or whose key is
    revoked, since they would keep the endpoint from being served at all."""
    kept = dict(routing)
    pins = dict(kept.get("pins") or {})
    if not pins.get("keys"):
        return kept
    answering = {str(target.model_version.pk) for target in targets if target.role in WEIGHTED}
    in_use = {str(key) for key in _keys_in_use(endpoint)}
    pins["keys"] = {
        key: version for key, version in pins["keys"].items() if _uuid(key) in in_use and _uuid(version) in answering
    }
    return {**kept, "pins": pins}


def _keys_in_use(endpoint: Endpoint) -> Iterable[UUID]:
    return EndpointKey.objects.filter(endpoint=endpoint, revoked_at=None).values_list("pk", flat=True)


def _check_pins(endpoint: Endpoint, targets: Sequence[TargetRequest], routing: Routing) -> None:
    answering = {str(target.model_version.pk) for target in targets if target.role in WEIGHTED}
    known = {str(key) for key in _keys_in_use(endpoint)} if routing.pins else set()
    for key, version in routing.pins.items():
        if _uuid(key) not in known:
            raise _wrong(
                f"The endpoint has no key {key[:80]}.", "Pin a key of this endpoint that is in use.", field="routing"
            )
        if _uuid(version) not in answering:
            raise _wrong(
                f"The version {version[:80]} does not answer here.",
                "Pin a key to a version of this deployment that is live or canary.",
                field="routing",
            )


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _fallback(targets: Sequence[TargetRequest], fallback: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if fallback is None:
        return None
    try:
        parsed = parse_fallback(dict(fallback))
    except RuleError as error:
        raise _wrong(f"The fallback cannot be used: {error}.", "See docs/rollouts.md.", field="fallback") from None
    if parsed is not None and parsed.kind == RULE and parsed.rule is not None:
        _check_columns(targets, parsed.rule.columns, "fallback")
    return dict(fallback)


def _check_columns(targets: Sequence[TargetRequest], columns: set[str] | frozenset[str], field: str) -> None:
    """Each version that says what its input is has these columns; requests with others are refused."""
    for target in targets:
        signature = served_signature(target.model_version.signature)
        if target.role not in WEIGHTED or not signature or not signature["inputs"]:
            continue
        known = {str(column["name"]) for column in signature["inputs"]}
        if missing := sorted(columns - known):
            raise _wrong(
                f"{target.model_version} has no column {', '.join(missing)[:200]}.",
                f"Use one of {', '.join(sorted(known))[:500]}.",
                field=field,
            )


def _wrong(message: str, remedy: str, *, field: str = "targets") -> ValidationFailed:
    return ValidationFailed(message, remedy=remedy, field=field)
