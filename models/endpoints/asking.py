"""Asks a second person to agree to what will decide at an endpoint of production beside its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.approvals.consents import MAY_ASK, request_consent
from models.approvals.models import Consent
from models.endpoints import graphs
from models.endpoints.logic import graph_logic, lowering
from models.endpoints.models import Endpoint
from models.gateway.rules import RuleError, compile_rule
from modelwright.accounts.actors import Actor
from modelwright.core.errors import Conflict, ValidationFailed
from projects.manifest import MANIFEST_NAME, read_fallbacks
from projects.selectors import authorize

Kind = Consent.Kind


def ask(
    endpoint: Endpoint,
    *,
    kind: str,
    graph: str = "",
    rule: Mapping[str, Any] | None = None,
    stage: str = "",
    reason: str,
    acting_user: Actor,
) -> Consent:
    """Ask for consent to the graph called so, or the rule, or that the endpoint goes from production to the stage.

    Graph and rule are those of the newest commit; `rule` may be another one. Raises PermissionRefused and
    ValidationFailed, NotFound without such a graph, Conflict where it is asked for or given already.
    """
    if kind not in Kind.values:
        raise ValidationFailed(
            f"There is no kind {kind[:60]!r}.", remedy=f"Give one of {', '.join(Kind.values)}.", field="kind"
        )
    authorize(acting_user, MAY_ASK[Kind(kind)], endpoint.project)
    if kind == Kind.GRAPH:
        content = graph_logic(graphs.resolve(endpoint.project, graph).data)
    elif kind == Kind.RULE:
        content = {"rule": _checked(dict(rule) if rule is not None else _declared_rule(endpoint))}
    else:
        content = _lowering(endpoint, stage)
    return request_consent(
        endpoint.project,
        endpoint_id=endpoint.pk,
        endpoint_name=endpoint.path,
        kind=kind,
        content=content,
        reason=reason,
        acting_user=acting_user,
    )


def _lowering(endpoint: Endpoint, stage: str) -> dict[str, Any]:
    if endpoint.stage != Endpoint.Stage.PRODUCTION:
        raise Conflict(f"{endpoint.name} is not in production.", remedy="Change its stage in its settings.")
    if stage not in (Endpoint.Stage.LAB, Endpoint.Stage.STAGING):
        raise ValidationFailed("There is no such lower stage.", remedy="Give lab or staging.", field="stage")
    return lowering(stage)[1]


def _declared_rule(endpoint: Endpoint) -> dict[str, Any]:
    found = read_fallbacks(endpoint.project).get(endpoint.name)
    if not isinstance(found, dict) or "version" in found:
        raise ValidationFailed(
            f"{MANIFEST_NAME} of the newest commit declares no rule for {endpoint.name}.",
            remedy="Declare one below `fallbacks`, or give the rule itself.",
            field="rule",
        )
    return found


def _checked(rule: dict[str, Any]) -> dict[str, Any]:
    try:
        compile_rule(rule)
    except RuleError as error:
        raise ValidationFailed(
            f"The rule cannot be used: {error}.", remedy="See docs/rollouts.md.", field="rule"
        ) from None
    return rule
